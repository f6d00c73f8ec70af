"""Genomes: the published ones, and everything that a file from a stranger may hold instead."""

import io
import zipfile

import pytest

from assay.data.genomes import MOST_GENOME, PICTURES, parse_genome, picture_genome, read_genome
from assay.errors import AssayError

NODE = '<node label="{label}"><marking branch="1" id="{id}"/><activation>{activation}(x)</activation></node>'
LINK = '<link><source branch="1" id="{source}"/><target branch="1" id="{target}"/><weight>{weight}</weight></link>'


def genome(*, nodes=(), links=(), head="", age="3"):
    """The text of a genome of two inputs, one hidden node and an output, with more nodes and links."""
    known = [("x", 0, "identity"), ("bias", 1, "identity"), ("ink", 2, "sin"), (None, 3, "gaussian"), *nodes]
    written = [NODE.format(label=label, id=number, activation=kind) for label, number, kind in known]
    written = [node.replace(' label="None"', "") for node in written]
    joined = [LINK.format(source=a, target=b, weight=w) for a, b, w in ((0, 3, 1.5), (3, 2, -2), (1, 2, 0.5), *links)]
    text = f'{head}<data><genome age="{age}"><nodes>{"".join(written)}</nodes><links>{"".join(joined)}</links></genome></data>'
    return text.encode()


def test_a_small_genome_is_read():
    found = parse_genome(genome())
    assert found.activations == {"1/0": "identity", "1/1": "identity", "1/2": "sin", "1/3": "gaussian"}
    assert found.inputs == {"x": "1/0", "bias": "1/1"}
    assert found.outputs == {"brightness": "1/2"}
    assert found.links == {("1/0", "1/3"): 1.5, ("1/3", "1/2"): -2.0, ("1/1", "1/2"): 0.5}
    assert found.age == 3
    order = found.order()
    assert set(order) == set(found.activations)
    assert order.index("1/0") < order.index("1/3") < order.index("1/2")


@pytest.mark.parametrize(
    ("name", "nodes", "links", "age"), [("skull", 23, 57, 74), ("butterfly", 34, 108, 104), ("apple", 83, 264, 321)]
)
def test_the_published_genomes_are_whole(name, nodes, links, age):
    found = picture_genome(name)
    assert (len(found.activations), len(found.links), found.age) == (nodes, links, age)
    assert max(map(abs, found.links.values())) == 3.0
    assert name in PICTURES


def test_colours_that_a_genome_lacks_are_added_without_changing_it():
    found = parse_genome(genome())
    coloured = found.coloured()
    assert set(coloured.outputs) == {"hue", "saturation", "brightness"}
    assert {link: weight for link, weight in coloured.links.items() if weight} == found.links
    assert coloured.coloured() == coloured


def test_nodes_of_two_branches_may_have_one_id():
    text = (
        genome()
        .replace(b'<marking branch="1" id="1"/>', b'<marking branch="2" id="3"/>')
        .replace(b'<source branch="1" id="1"/>', b'<source branch="2" id="3"/>')
    )
    assert parse_genome(text).links["2/3", "1/2"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (genome(nodes=[(None, 4, "softmax")]), "activation of node 1/4 must be a known one.*softmax"),
        (genome(nodes=[(None, 3, "sin")]), "names that differ.*1/3"),
        (genome(nodes=[("x", 4, "identity")]), "that of one node.*x twice"),
        (genome(nodes=[("z", 4, "identity")]), "label of node 1/4 must be known.*z"),
        (genome(links=[(0, 3, 1)]), "pairs of nodes that differ"),
        (genome(links=[(0, 9, 1)]), "two nodes of the genome.*1/9"),
        (genome(links=[(1, 3, "nan")]), "finite number.*nan"),
        (genome(links=[(1, 3, "1e9")]), "at most a million"),
        (genome(links=[(1, 3, "w")]), "finite number"),
        (genome(age="-1"), "age must be a whole number"),
        (genome().replace(b'label="ink"', b""), "must have an output"),
        (genome().replace(b"<marking", b"<named", 1), "named by branch and id"),
        (b"<data/>", "one genome.*0"),
        (genome()[:-20], "must be whole XML"),
        (b"\xff\xfe\x00", "must be whole XML"),
        (b"", "must be whole XML"),
        (b"<data><genome><nodes/></genome></data>", "1 to 4,096 nodes.*0"),
    ],
)
def test_what_is_no_genome_is_refused(text, message):
    with pytest.raises(AssayError, match=message):
        parse_genome(text)


def test_a_cycle_that_an_output_depends_on_is_refused():
    found = parse_genome(genome(links=[(2, 3, 1)]))
    with pytest.raises(AssayError, match="free of cycles"):
        found.order()
    with pytest.raises(AssayError, match="free of cycles"):
        parse_genome(genome(links=[(3, 3, 1)])).order()
    aside = parse_genome(genome(nodes=[(None, 4, "sin"), (None, 5, "sin")], links=[(4, 5, 1), (5, 4, 1)]))
    assert "1/4" not in aside.order()


LAUGHS = "<!DOCTYPE d [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {after} '{f'&{before};' * 10}'>" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "head",
    [
        LAUGHS + "]>",
        "<!DOCTYPE d [<!ENTITY secret SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE d SYSTEM 'http://127.0.0.1:1/d.dtd'>",
    ],
    ids=["a billion laughs", "an external entity", "an external document type"],
)
def test_entities_are_refused_before_they_are_expanded(head):
    text = genome(head=head).replace(b"sin(x)", b"&i;&secret;(x)")
    with pytest.raises(AssayError, match="plain XML"):
        parse_genome(text)


def _zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_and_its_file_are_one_genome(tmp_path):
    (tmp_path / "plain.xml").write_bytes(genome())
    assert read_genome(_zipped(tmp_path / "one.zip", a=genome())) == read_genome(tmp_path / "plain.xml")


def test_zips_that_hold_something_else_are_refused(tmp_path):
    with pytest.raises(AssayError, match="hold one file"):
        read_genome(_zipped(tmp_path / "two.zip", a=genome(), b=genome()))
    with pytest.raises(AssayError, match="at most 4,194,304 bytes"):
        read_genome(_zipped(tmp_path / "bomb.zip", a=b" " * (MOST_GENOME + 1)))
    whole = io.BytesIO()
    _zipped(whole, a=genome())
    (tmp_path / "half.zip").write_bytes(whole.getvalue()[:-30])
    with pytest.raises(AssayError, match="whole zip"):
        read_genome(tmp_path / "half.zip")
    (tmp_path / "large.xml").write_bytes(b" " * (MOST_GENOME + 1))
    with pytest.raises(AssayError, match="at most"):
        read_genome(tmp_path / "large.xml")
    with pytest.raises(AssayError, match="no such picture"):
        picture_genome("rose")
