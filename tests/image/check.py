"""Checks an image's OCI archive and its SBOM: check.py ARCHIVE SBOM. Each failure says what was expected and seen."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

LIMIT = 15 * 1024 * 1024
PROGRAM = "modelarts-pool-controller"
ROOTS = "etc/ssl/certs/ca-certificates.crt"
FILES = {PROGRAM, ROOTS, "LICENSE"}


def expect(what, seen, good):
    if not good:
        sys.exit(f"image: expected {what}, saw {seen}")


def blob(archive, descriptor):
    return archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")).read()


def main(path, sbom):
    size = os.path.getsize(path)
    expect(f"an archive of less than {LIMIT} bytes", size, size < LIMIT)
    with tarfile.open(path) as archive, tempfile.TemporaryDirectory() as root:
        index = json.load(archive.extractfile("index.json"))
        expect("one image in the archive", index["manifests"], len(index["manifests"]) == 1)
        manifest = json.loads(blob(archive, index["manifests"][0]))
        whole = json.loads(blob(archive, manifest["config"]))
        config = whole["config"]
        user = config.get("User", "")
        numbers = user.split(":")
        expect("a numeric user other than 0", user, len(numbers) == 2 and all(n.isdigit() and int(n) for n in numbers))
        expect("the program as entrypoint", config.get("Entrypoint"), config.get("Entrypoint") == ["/" + PROGRAM])
        labels = config.get("Labels") or {}
        for label in ("title", "description", "licenses", "version", "revision", "created"):
            key = "org.opencontainers.image." + label
            expect(f"the label {key}", labels, labels.get(key))

        files = set()
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(archive, layer))) as content:
                files |= {m.name.removeprefix("./") for m in content if not m.isdir()}
        # Before anything is written: a name could lead elsewhere.
        expect(f"the files {sorted(FILES)}", sorted(files), files == FILES)
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(archive, layer))) as content:
                content.extractall(root)
        with open(os.path.join(root, ROOTS), encoding="ascii") as pem:
            certificates = pem.read().count("-----BEGIN CERTIFICATE-----")
        expect("at least 50 certificates of authorities", certificates, certificates >= 50)

        said = run(root, int(numbers[0]), ["version"])
        version = labels["org.opencontainers.image.version"]
        expect(f"version {version} from the program in its own root", said, version in said)

    with open(sbom, encoding="utf-8") as file:
        bill = json.load(file)
    names = {component["name"] for component in bill.get("components", [])}
    expect("CycloneDX", bill.get("bomFormat"), bill.get("bomFormat") == "CycloneDX")
    expect("rustls among the components, and no crate of the tests alone", len(names), "rustls" in names and "rcgen" not in names)
    print(f"image: {size / 1024 / 1024:.1f} MiB in the archive, {certificates} authorities, user {user}, {len(names)} dependencies in the SBOM")


def run(root, user, arguments):
    """The program in the image's root and nothing else: needs root, or else a user namespace."""
    command = ["/" + PROGRAM, *arguments]
    if os.geteuid() == 0:
        command = ["chroot", f"--userspec={user}:{user}", root, *command]
        os.chmod(root, 0o755)
    else:
        command = ["unshare", "--user", "--map-root-user", "chroot", root, *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    expect("the program to run in its own root", done, done.returncode == 0)
    return done.stdout


main(*sys.argv[1:])
