"""Aborts uploads in parts that processes have begun and not ended: nobody sees them, and S3 counts them as stored."""

from typing import Any

import fsspec

from curation.core.stores.protocols import speaks_s3

SUFFIX = ".parquet"
"""Of all files that are large enough to be sent in parts: other uploads are not ours."""


def abort_uploads(fs: fsspec.AbstractFileSystem, folder: str) -> int:
    """Abort the uploads of Parquet files below a folder of S3, whoever began them; returns how many there were.

    Elsewhere there are none. Raises what s3fs raises: OSError, PermissionError, NotImplementedError.
    """
    if not speaks_s3(fs):
        return 0
    bucket, prefix, _ = fs.split_path(folder)
    query: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/".lstrip("/")}
    aborted, more = 0, True
    while more:
        answer = fs.call_s3("list_multipart_uploads", **query)
        for upload in answer.get("Uploads", ()):
            if upload["Key"].endswith(SUFFIX):
                fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                aborted += 1
        query |= {"KeyMarker": answer.get("NextKeyMarker"), "UploadIdMarker": answer.get("NextUploadIdMarker")}
        more = bool(answer.get("IsTruncated"))
    return aborted
