"""What the built runtimes can do, and that the three of them fit together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hri.rig.runtimes import compile_package, find_runtime

_DEADLINE_S = 60


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    package = tmp_path / "src/thing"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("from thing.deep import WORD\n")
    (package / "deep/__init__.py").write_text("WORD = 'found'\n\n\ndef fail():\n    return 1 // 0\n")
    return package


def unix(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_runtime("unix"), "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )


def test_the_unix_runtime_signs_tls_handshakes_outside() -> None:
    code = "import tls; c = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT); print(hasattr(c, 'ecdsa_sign_callback'))"
    assert unix(Path("/"), code).stdout.strip() == "True"


def test_a_compiled_package_runs_on_the_runtime(sources: Path, tmp_path: Path) -> None:
    written = compile_package(sources, tmp_path / "out/thing")
    assert [path.name for path in written] == ["__init__.mpy", "__init__.mpy"]
    assert unix(tmp_path / "out", "import thing; print(thing.WORD)").stdout.strip() == "found"


@pytest.mark.parametrize(("options", "line"), [({}, 1), ({"optimization": 2}, 5)])
def test_a_traceback_names_file_and_function_and_on_demand_the_line(
    sources: Path, tmp_path: Path, options: dict[str, int], line: int
) -> None:
    compile_package(sources, tmp_path / "out/thing", **options)
    shown = unix(tmp_path / "out", "import thing.deep; thing.deep.fail()").stderr
    assert f'File "deep/__init__.py", line {line}, in fail' in shown


def test_equal_sources_make_equal_files_wherever_they_lie(sources: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere/thing"
    moved.parent.mkdir()
    first = [path.read_bytes() for path in compile_package(sources, tmp_path / "a/thing")]
    sources.rename(moved)
    assert [path.read_bytes() for path in compile_package(moved, tmp_path / "b/thing")] == first


def test_a_source_that_is_gone_leaves_no_compiled_file(sources: Path, tmp_path: Path) -> None:
    compile_package(sources, tmp_path / "out")
    (sources / "deep/__init__.py").unlink()
    compile_package(sources, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.mpy")] == [
        "__init__.mpy"
    ]


def test_a_syntax_error_is_shown_with_its_file(sources: Path, tmp_path: Path) -> None:
    (sources / "bad.py").write_text("def\n")
    with pytest.raises(SyntaxError, match=r"bad\.py"):
        compile_package(sources, tmp_path / "out")


def test_a_folder_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no python source"):
        compile_package(tmp_path, tmp_path / "out")
