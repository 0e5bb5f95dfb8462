"""CPU quotas of control groups are counted, whatever version mounted them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotone.cores import available_cores


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)


def made(root: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    return root


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000\n"}, 2, id="version 2, seen from inside"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 2, id="a part of a core counts as one"),
        pytest.param("0::/\n", {"cpu.max": "5000 100000\n"}, 1, id="never none"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, 64, id="no quota"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3, id="of a parent"),
        pytest.param("0::/kubepods/x\n", {"cpu.max": "400000 100000\n"}, 4, id="a path of the host"),
        pytest.param(
            "4:cpu,cpuacct:/box\n",
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n"},
            2,
            id="version 1",
        ),
        pytest.param(
            "1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64, id="version 1, none"
        ),
        pytest.param("0::/\n", {"cpu.max": "nonsense\n"}, 64, id="not understood"),
    ],
)
def test_a_quota_limits_the_cores(tmp_path: Path, groups: str, files: dict[str, str], cores: int) -> None:
    assert available_cores(made(tmp_path, groups, files)) == cores


@pytest.mark.usefixtures("many")
def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 64
