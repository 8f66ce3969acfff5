"""The corpus: frozen default text, any file of the user's, clear errors."""

import hashlib

import pytest
import torch

from bptt import Corpus, load_corpus
from bptt.text import DEFAULT_TEXT

SHA256 = "e8c92db18fccfb33d36801a0b6be63810026047d9a98280cc9f7cde1a3cbf608"


def test_default_text_is_frozen():
    data = DEFAULT_TEXT.read_bytes()
    assert len(data) >= 20_000
    assert hashlib.sha256(data).hexdigest() == SHA256


def test_encode_and_decode_are_inverse():
    corpus = load_corpus()
    assert corpus.decode(corpus.encode(corpus.text)) == corpus.text
    assert corpus.alphabet == "".join(sorted(set(corpus.text)))


def test_batch_is_the_text_with_the_next_character_as_target():
    corpus = Corpus("the tape of the walk")
    X, Y = corpus.batch(steps=7, batch_size=3, generator=torch.Generator().manual_seed(0))
    assert X.shape == (7, 3, len(corpus.alphabet)) and Y.shape == (7, 3)
    assert X.dtype == torch.float64 and torch.equal(X.sum(-1), torch.ones(7, 3).double())
    for b in range(3):
        window = corpus.decode(X[:, b].argmax(-1))
        assert window + corpus.decode(Y[-1:, b]) in corpus.text
        assert torch.equal(X[1:, b].argmax(-1), Y[:-1, b])


def test_batch_can_begin_everywhere():
    corpus = Corpus("abcd")
    g = torch.Generator().manual_seed(0)
    X, _ = corpus.batch(steps=2, batch_size=200, generator=g)
    assert set(X[0].argmax(-1).tolist()) == {0, 1}


def test_a_file_of_the_user(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_bytes("\ufeffÉté\r\nhiver".encode())
    assert load_corpus(path).text == "Été\nhiver"
    path.write_bytes("Été".encode("latin-1"))
    assert load_corpus(str(path), encoding="latin-1").text == "Été"


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: expected a text file, found none at .*no"):
        load_corpus(tmp_path / "no.txt")
    with pytest.raises(FileNotFoundError, match="path: expected a text file"):
        load_corpus(tmp_path)
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"ab\xff")
    with pytest.raises(ValueError, match=r"path: expected text in utf-8, but byte 2 .* 0xff"):
        load_corpus(bad)
    with pytest.raises(ValueError, match=r"encoding: expected .* got 'utf-9'"):
        load_corpus(bad, encoding="utf-9")
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match=r"path: expected at least 2 characters in .*, got 0"):
        load_corpus(bad)


def test_bad_arguments_are_named():
    g, corpus = torch.Generator(), Corpus("abc")
    for argument, call in (
        ("text", lambda: Corpus("a")),
        ("text", lambda: corpus.encode("abz")),
        ("numbers", lambda: corpus.decode(torch.tensor([3]))),
        ("steps", lambda: corpus.batch(0, 1, g)),
        ("steps", lambda: corpus.batch(3, 1, g)),
        ("batch_size", lambda: corpus.batch(1, 0, g)),
    ):
        with pytest.raises(ValueError, match=f"^{argument}: expected .+ got "):
            call()
    with pytest.raises(ValueError, match="got 'z' at position 2"):
        corpus.encode("abz")
    with pytest.raises(TypeError, match="text: expected a string, got bytes"):
        Corpus(b"abc")
