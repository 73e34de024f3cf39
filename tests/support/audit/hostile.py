"""Strings that attack a page, a query, a shell or a spreadsheet, and segments whose every string is one of them."""

from typing import Any

RUN = "globalThis.hit=(globalThis.hit||0)+1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror='{RUN}'>",
    f'"><svg onload="{RUN}">',
    f"javascript:{RUN}//",
    f"</script><script>{RUN}</script>",
    f'");{RUN};("',
    "<img src=https://attacker.example/x.png>",
    "<style>@import 'https://attacker.example/x.css';</style>",
    "<base href=https://attacker.example/>",
    "' OR 1=1; DROP TABLE segments; --",
    "$(touch /tmp/hit); `touch /tmp/hit`",
    '=HYPERLINK("https://attacker.example")',
    "\u202etxt.exe\u2066 \u200bhidden\u0000\u001b[31m",
    "__proto__",
    "constructor",
    "../../../etc/passwd",
    "a\nb\r\n2nd,line",
]
COLUMNS = ["recording_id", "path", "speaker", "language", "reason", "detail", "text", "outlier"]


def hostile_rows() -> list[dict[str, Any]]:
    """A segment for each, without duration: hours stay those of the corpus."""
    return [
        {
            **dict.fromkeys(COLUMNS, payload),
            "id": f"{payload}{number}",
            "start": float(number),
            "seconds": 0.0,
            "status": ["rejected", "failed", "kept"][number % 3],
            "hypotheses": [{"system": f"{payload}{at}", "text": payload, "error": ""} for at in range(2)]
            + [{"system": payload, "text": payload, "error": payload}],
            "scores": [{"name": payload, "value": 1.0}],
        }
        for number, payload in enumerate(PAYLOADS)
    ]
