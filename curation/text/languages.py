"""Language codes: the pipeline uses ISO 639-1 (and `yue`, `haw`), some models ISO 639-3, with a script or without.

How languages are written, where that is not words with spaces and ASCII commas, is in `WRITING`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Writing:
    """How a language is written, as far as texts are compared and punctuated by it."""

    unit: Literal["word", "character"] = "word"
    """In which errors are counted; characters where there are no spaces. Korean has spaces."""
    comma: str = ","
    """The mark for a pause; empty where none is written."""
    script: Literal["", "simplified", "latin", "farsi"] = ""
    """The script in which its two are compared."""
    numerals: bool = False
    """Whether Chinese numerals are read as numbers."""


_CHINESE = Writing("character", "\uff0c", "simplified", numerals=True)
_SERBIAN = Writing(script="latin")
_UNSPACED = Writing("character", "")
WRITING: dict[str, Writing] = {
    "zh": _CHINESE,
    "yue": _CHINESE,
    "ja": Writing("character", "\u3001", numerals=True),
    **dict.fromkeys(("th", "lo", "km", "my"), _UNSPACED),
    "bo": Writing("character"),
    "ar": Writing(comma="\u060c"),
    **dict.fromkeys(("fa", "ur"), Writing(comma="\u060c", script="farsi")),
    **dict.fromkeys(("sr", "bs", "sh"), _SERBIAN),
}


def writing_of(language: str) -> Writing:
    """Of a language code, with or without a region."""
    return WRITING.get(language.partition("-")[0].lower(), Writing())


_ISO_639_3 = """
af:afr am:amh ar:arb/ara as:asm az:azj/aze ba:bak be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat cs:ces cv:chv
cy:cym da:dan de:deu dv:div el:ell en:eng eo:epo es:spa et:ekk/est eu:eus fa:fas/pes ff:fuv/ful fi:fin fo:fao fr:fra
ga:gle gl:glg gn:gug/grn gu:guj ha:hau haw:haw he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye ia:ina id:ind ig:ibo is:isl
it:ita ja:jpn jv:jav/jvn jw:jav/jvn ka:kat kk:kaz km:khm kn:kan ko:kor ku:kmr/kur ky:kir la:lat lb:ltz lg:lug
lij:lij ln:lin lo:lao lt:lit lv:lav/lvs mg:plt/mlg mi:mri mk:mkd ml:mal mn:khk/mon mr:mar ms:zsm/zlm/msa mt:mlt
my:mya nb:nob ne:npi/nep nl:nld nn:nno no:nob/nor ny:nya oc:oci om:gaz/orm or:ory/ori pa:pan pl:pol ps:pbt/pst/pus
pt:por qu:quy/que ro:ron ru:rus rw:kin sa:san sd:snd sg:sag si:sin sk:slk sl:slv sn:sna so:som sq:als/sqi sr:srp
su:sun sv:swe sw:swh/swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl/fil tr:tur tt:tat tw:twi ug:uig uk:ukr
ur:urd uz:uzn/uzb vi:vie wo:wol xh:xho yi:ydd/yid yo:yor yue:yue zh:cmn zu:zul
"""
"""Several codes where models differ: of a macrolanguage (`msa`) and of its standard form (`zsm`)."""

_OMNILINGUAL = """
af:afr_Latn am:amh_Ethi ar:arb_Arab as:asm_Beng az:aze_Latn ba:bak_Cyrl be:bel_Cyrl bg:bul_Cyrl bn:ben_Beng
bo:bod_Tibt br:bre_Latn bs:bos_Latn ca:cat_Latn cs:ces_Latn cv:chv_Cyrl cy:cym_Latn da:dan_Latn de:deu_Latn
dv:div_Thaa el:ell_Grek en:eng_Latn eo:epo_Latn es:spa_Latn et:ekk_Latn eu:eus_Latn fa:fas_Arab ff:ful_Latn
fi:fin_Latn fo:fao_Latn fr:fra_Latn ga:gle_Latn gl:glg_Latn gn:grn_Latn gu:guj_Gujr ha:hau_Latn haw:haw_Latn
he:heb_Hebr hi:hin_Deva hr:hrv_Latn ht:hat_Latn hu:hun_Latn hy:hye_Armn ia:ina_Latn id:ind_Latn ig:ibo_Latn
is:isl_Latn it:ita_Latn ja:jpn_Jpan jv:jav_Latn jw:jav_Latn ka:kat_Geor kk:kaz_Cyrl km:khm_Khmr kn:kan_Knda
ko:kor_Hang ku:kmr_Latn ky:kir_Cyrl la:lat_Latn lb:ltz_Latn lg:lug_Latn lij:lij_Latn ln:lin_Latn lo:lao_Laoo
lt:lit_Latn lv:lav_Latn mg:plt_Latn mi:mri_Latn mk:mkd_Cyrl ml:mal_Mlym mn:khk_Cyrl mr:mar_Deva ms:zsm_Latn
mt:mlt_Latn my:mya_Mymr nb:nob_Latn ne:nep_Deva nl:nld_Latn no:nob_Latn ny:nya_Latn oc:oci_Latn om:orm_Latn
or:ory_Orya pa:pan_Guru pl:pol_Latn ps:pbt_Arab pt:por_Latn qu:quy_Latn ro:ron_Latn ru:rus_Cyrl rw:kin_Latn
sd:snd_Arab sg:sag_Latn si:sin_Sinh sk:slk_Latn sl:slv_Latn sn:sna_Latn so:som_Latn sq:als_Latn sr:srp_Cyrl
su:sun_Latn sv:swe_Latn sw:swh_Latn ta:tam_Taml te:tel_Telu tg:tgk_Cyrl th:tha_Thai ti:tir_Ethi tk:tuk_Latn
tl:tgl_Latn tr:tur_Latn tt:tat_Cyrl ug:uig_Arab uk:ukr_Cyrl ur:urd_Arab uz:uzn_Latn vi:vie_Latn wo:wol_Latn
xh:xho_Latn yi:ydd_Hebr yo:yor_Latn yue:yue_Hant zh:cmn_Hans zu:zul_Latn
"""
"""Codes of Omnilingual ASR (`models/wav2vec2_llama/lang_ids.py` in omnilingual-asr 0.2.0), with the usual script."""

ISO_639_3: dict[str, tuple[str, ...]] = {
    short: tuple(codes.split("/")) for short, codes in (item.split(":") for item in _ISO_639_3.split())
}

OMNILINGUAL: dict[str, str] = dict(item.split(":") for item in _OMNILINGUAL.split())


def three_letters(known: Collection[str]) -> dict[str, str]:
    """ISO 639-1 code -> ISO 639-3 code, for a model that knows the 639-3 codes `known`."""
    found = {short: next((code for code in codes if code in known), "") for short, codes in ISO_639_3.items()}
    return {short: code for short, code in found.items() if code}
