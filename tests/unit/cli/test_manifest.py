"""`hri manifest` on the command line."""

from hri.manifest.file import LARGEST


def test_a_manifest_goes_from_one_station_to_another(hri, provisioned, tmp_path, monkeypatch):
    manifest, signer = tmp_path / "line.json", tmp_path / "signer.pem"
    exported = hri("--json", "manifest", "export", "--out", str(manifest))
    assert exported.status == 0, exported.err
    printed = hri("manifest", "certificate")
    signer.write_text(printed.out)

    serial = provisioned["element"]["serial_number"]
    verified = hri("--json", "manifest", "verify", str(manifest), "--ca", str(signer)).json
    assert [chip["element_serial"] for chip in verified["chips"]] == [serial]
    refused = hri("--json", "manifest", "import", str(manifest), "--ca", str(signer))
    assert (refused.status, refused.error["code"]) == (1, "own-manifest")

    monkeypatch.setenv("HRI_HOME", str(tmp_path / "other"))
    assert hri("ca", "init").status == 0
    imported = hri("--json", "manifest", "import", str(manifest), "--ca", str(signer))
    assert imported.json == {"recorded": 1, "known": 0, "without_key": []}
    assert (
        "chips endorsed: 0, and 1 that were already"
        in hri("manifest", "import", str(manifest), "--ca", str(signer)).out
    )


def test_an_export_to_standard_output_is_the_manifest_alone(hri, provisioned):
    ran = hri("manifest", "export", "--device-id", provisioned["device_id"])
    assert ran.status == 0
    assert ran.json[0]["header"]["uniqueId"] == provisioned["element"]["serial_number"]


def test_what_cannot_be_used_is_refused_with_its_status(hri, provisioned, tmp_path):
    assert provisioned
    empty, signer = tmp_path / "empty.json", tmp_path / "signer.pem"
    empty.write_text("[]")
    assert hri("--json", "manifest", "certificate").error["code"] == "no-manifest-signer"
    signer.write_text("nothing")
    bad = hri("--json", "manifest", "verify", str(empty), "--ca", str(signer))
    assert (bad.status, bad.error["code"]) == (2, "bad-manifest-signer")
    hri("manifest", "export", "--out", str(tmp_path / "m.json"))
    signer.write_text(hri("manifest", "certificate").out)
    refused = hri("--json", "manifest", "verify", str(empty), "--ca", str(signer))
    assert (refused.status, refused.error["code"]) == (1, "manifest-malformed")
    missing = hri("--json", "manifest", "verify", str(tmp_path / "none"), "--ca", str(signer))
    assert (missing.status, missing.error["code"]) == (3, "storage")


def test_a_huge_file_is_not_read_to_its_end(hri, provisioned, tmp_path):
    assert provisioned
    signer, huge = tmp_path / "signer.pem", tmp_path / "huge.json"
    hri("manifest", "export", "--out", str(tmp_path / "m.json"))
    signer.write_text(hri("manifest", "certificate").out)
    with huge.open("wb") as file:
        file.truncate(LARGEST * 4)
    refused = hri("--json", "manifest", "verify", str(huge), "--ca", str(signer))
    assert refused.error["code"] == "manifest-malformed"
    assert "more than" in refused.error["message"]
