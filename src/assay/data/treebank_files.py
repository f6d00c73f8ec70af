"""Files of the treebanks: path in their repository, sha256 and size in bytes of the content."""

from typing import NamedTuple

UNIVERSAL_DEPENDENCIES = "https://raw.githubusercontent.com/UniversalDependencies/"


class TreebankSource(NamedTuple):
    """One or several treebanks fetched together; `files`: with repository and commit in their path."""

    name: str
    title: str
    licence: str
    citation: str
    files: tuple[tuple[str, str, int], ...]


_EWT = "UD_English-EWT/15d613d8447b3478787d4c278730a1e48a945efb"
_SEQUOIA = "UD_French-Sequoia/f5b049600c89d2cf15ebbec860f75d703884d32b"
_GSD = "UD_French-GSD/830e2782304af08b3cc1c9250475343e04274d81"
_PUD = {
    "en": "UD_English-PUD/f16eba4ae7f3d161870ed320676c5088b8fa476c",
    "fr": "UD_French-PUD/c245786cfb3020d43bcfc96215ae531a1b07bcbc",
    "de": "UD_German-PUD/ff80846ae60a0a70fc4d6251ef73e6a483a620ee",
}

TREEBANKS = (
    TreebankSource(
        "ud_english_ewt",
        "UD English EWT: gold dependency trees of English web text",
        "CC-BY-SA-4.0",
        "Silveira et al. 2014, A gold standard dependency corpus for English, LREC; Universal Dependencies 2.16",
        (
            (f"{_EWT}/en_ewt-ud-train.conllu", "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b", 14203025),
            (f"{_EWT}/en_ewt-ud-dev.conllu", "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6", 1805545),
            (f"{_EWT}/en_ewt-ud-test.conllu", "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd", 1804515),
        ),
    ),
    TreebankSource(
        "ud_french_sequoia",
        "UD French Sequoia: gold dependency trees of parliament, Wikipedia, news and medicine",
        "LGPL-LR",
        "Candito and Seddah 2012, Le corpus Sequoia, TALN; Universal Dependencies 2.16",
        (
            (
                f"{_SEQUOIA}/fr_sequoia-ud-train.conllu",
                "56424954edf9d20a4d1184e37bfe931fb7c64da82bf2a587b4f35b828d79d767",
                3246253,
            ),
            (
                f"{_SEQUOIA}/fr_sequoia-ud-dev.conllu",
                "a5138dc5e8886484c2f8919e97113f56b9e4329e5cf2a999c021d6ee45e8b45d",
                643734,
            ),
            (
                f"{_SEQUOIA}/fr_sequoia-ud-test.conllu",
                "a650e7a223fe191009ded17cedae740659449be20354bd68205c376de4ddef2d",
                644731,
            ),
        ),
    ),
    TreebankSource(
        "ud_french_gsd",
        "UD French GSD, dev and test: gold dependency trees of French web text",
        "CC-BY-SA-4.0",
        "Guillaume, de Marneffe and Perrier 2019, Conversion et améliorations de corpus du français, TAL 60; "
        "Universal Dependencies 2.16",
        (
            (f"{_GSD}/fr_gsd-ud-dev.conllu", "3e7531b645e5bd6fe37bb619cdd8292e87f5937e64cd8627b4094324eb830e6b", 2316421),
            (f"{_GSD}/fr_gsd-ud-test.conllu", "5d1743c7a9ce2908943d4a430ed9a77755e2a8d7e32d42ee0f1d6a0b528f0be8", 652793),
        ),
    ),
    TreebankSource(
        "ud_pud_parallel",
        "UD PUD: a thousand sentences of news and Wikipedia, with gold trees, in English, French and German",
        "CC-BY-SA-3.0",
        "Zeman et al. 2017, CoNLL 2017 shared task: multilingual parsing from raw text to Universal Dependencies, "
        "doi 10.18653/v1/K17-3001",
        (
            (
                f"{_PUD['en']}/en_pud-ud-test.conllu",
                "c80584f2bc2b31d5bada78a1136f9feec7ac49e5e18898db02dea434b5b8f0aa",
                1386858,
            ),
            (
                f"{_PUD['fr']}/fr_pud-ud-test.conllu",
                "793540702db111d2bfe04f846edddb23e7a2a432294fe17cb612dd795fb0301f",
                1820910,
            ),
            (
                f"{_PUD['de']}/de_pud-ud-test.conllu",
                "a530bdb50349bbd7c13706b6a759a9d73e8f514fff41fbf27149e914b0c3e723",
                1717993,
            ),
        ),
    ),
)
