"""Sentences that the server says in English: the page knows each of them in Korean as well."""

import ast
import re
from pathlib import Path

import pytest

import trackway

SRC = Path(trackway.__file__).parent
PHRASES = Path(__file__).parents[4] / "web" / "src" / "shell" / "phrases.ts"
# Whoever speaks of what is kept, of checkpoints and of what they lack.
MODULES = [
    "checkpoint/buffers.py", "checkpoint/capture.py", "checkpoint/closures.py", "checkpoint/containers.py",
    "checkpoint/functions.py", "checkpoint/generators.py", "checkpoint/inherited.py",
    "checkpoint/iterators.py", "checkpoint/objects.py", "checkpoint/read.py", "checkpoint/sets.py", "checkpoint/shared_memory.py",
    "checkpoint/torch_objects.py", "checkpoint/values.py", "format/part.py", "format/segment.py", "format/stored.py",
    "frameworks/sb3/exact.py", "frameworks/sb3/shadow.py", "frameworks/sb3/snapshots.py",
    "frameworks/sb3/state.py", "frameworks/sb3/tape.py", "frameworks/sb3/verdict.py",
    "storage/segments.py", "storage/stored.py", "storage/verify.py",
]  # fmt: skip
# Said to whoever resumes or repairs; no page shows these.
ELSEWHERE = {
    "goes on exactly where {} was taken",
    "goes on where {} was taken, but not exactly: {}",
    "new episodes have begun",
    "{}.{} has shape {} there, {} here: build the same networks",
    "the model is saved whole, which takes longer: %s",
    "the model is saved without %s, which cannot be pickled",
    "it was trained with VecNormalize; wrap the environment in VecNormalize",
    "its VecNormalize statistics {} are of another shape",
    "{} was made whole as {}; the old is {}",
    "{} has no readable header: set aside as {}",
    "{} is an optimizer of another kind: build the same one",
    (
        "it holds a model and no state to go on from: load the model from it, and call `learn` for "
        "the timesteps that are left"
    ),
}


def sentences(path):
    """Of a module: every text of three words and more that is no docstring, facts as `{}`."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    docs |= {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    parts = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    opaque = {
        id(arg)
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "OpaqueError"
        for arg in n.args
    }
    for node in ast.walk(tree):
        if id(node) in docs or id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(re.findall(r"\b[a-z]+\b", text)) >= 3 and " " in text:
            yield f"{{}} {text}" if id(node) in opaque else text


def known():
    found = re.findall(r"^  (['\"])(.*?)\1: ['\"]", PHRASES.read_text(), re.MULTILINE)
    return {re.sub(r"\{\w+\}", "{}", english) for _, english in found}


@pytest.mark.parametrize("module", MODULES)
def test_every_sentence_is_known_in_korean(module):
    phrases = known()
    # Some are put together: `opens a file` of `opens a file (where)`.
    whole = [(text, f"{text} ({{}})", f"{{}}: {text}") for text in sentences(SRC / module)]
    unknown = [s[0] for s in whole if not phrases & {*s} and s[0] not in ELSEWHERE]

    assert unknown == [], f"say it in Korean as well, in {PHRASES.name}"


def test_what_any_checkpoint_is_said_to_lack_is_known_in_korean():
    told = {
        text.value
        for path in SRC.parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "exact" and isinstance(value, ast.List)
        for text in value.elts
        if isinstance(text, ast.Constant)
    }

    assert told
    assert told <= known()


def test_the_search_finds_sentences():
    found = {text for module in MODULES for text in sentences(SRC / module)}

    assert len(found & known()) > 40
    assert found >= ELSEWHERE
