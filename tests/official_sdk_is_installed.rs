//! What the tests with the official SDK need of a machine is said where it is missing; nothing is
//! skipped, and no half of an installation is used.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ENVIRONMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/environment.sh");

/// A machine whose Python is a shell script.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    /// With this script as its Python, or none.
    fn with(python: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let programs = [
            "cat", "chmod", "cksum", "dirname", "flock", "mkdir", "mktemp", "mv", "rm", "tail",
            "tr",
        ];
        for program in programs {
            let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(program));
            let found = places.into_iter().find(|path| path.exists());
            // A system without flock is served too.
            if let Some(found) = found {
                symlink(found, directory.path().join(program)).expect("a link");
            }
        }
        if let Some(python) = python {
            let path = directory.path().join("python3");
            fs::write(&path, format!("#!/bin/sh\n{python}")).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        Self { directory }
    }

    fn run(&self) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg(ENVIRONMENT).env_clear();
        command.env("PATH", self.directory.path());
        command.env("XDG_CACHE_HOME", self.directory.path());
        command.output().expect("a shell")
    }

    /// What is in its cache beside the lock.
    fn cached(&self) -> Vec<PathBuf> {
        let cache = self.directory.path().join("modelarts-pool-controller");
        let entries = fs::read_dir(cache).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| !path.ends_with("sdk.lock")).collect()
    }
}

/// A Python that is asked for its version, for venv, to make an environment, and to install.
const PYTHON: &str = r#"
case "$*" in
*sys.version_info*) exit 0 ;;
*sys.version*) echo 3.12 ;;
*ensurepip*) exit 0 ;;
"-m venv "*) /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python" ;;
*"pip install"*"--require-hashes"*) INSTALL ;;
esac
"#;

#[test]
fn without_a_fit_python_it_says_what_to_install() {
    for (python, words) in [
        (None, "Python is missing (python3)"),
        (Some("echo broken; exit 1"), "python3 does not run: broken"),
        (
            Some(r#"case "$*" in *version_info*) exit 1 ;; *) echo 3.8 ;; esac"#),
            "python3 is too old: 3.8",
        ),
        (
            Some(r#"case "$*" in *ensurepip*) exit 1 ;; *) echo 3.12 ;; esac"#),
            "python3 has no venv",
        ),
    ] {
        let machine = Machine::with(python);
        let output = machine.run();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{words}");
        assert!(message.contains(words), "{message}");
        let remedy =
            "install Python 3.10 or later with venv (Debian, Ubuntu: python3 and python3-venv)";
        assert!(message.contains(remedy), "{message}");
        assert_eq!(machine.cached(), Vec::<PathBuf>::new());
    }
}

#[test]
fn it_is_made_once_and_whole_or_not_at_all() {
    let failing = PYTHON.replace("INSTALL", "echo no index; exit 1");
    let machine = Machine::with(Some(&failing));
    let output = machine.run();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("no index"), "{message}");
    assert!(message.contains("failed to install the SDK"), "{message}");
    assert_eq!(machine.cached(), Vec::<PathBuf>::new(), "a half is left");

    // What a killed installation leaves is removed.
    let machine = Machine::with(Some(&PYTHON.replace("INSTALL", "exit 0")));
    let half = machine
        .directory
        .path()
        .join("modelarts-pool-controller/sdk.abcdef/bin");
    fs::create_dir_all(&half).expect("a directory");
    let first = machine.run();
    assert!(first.status.success(), "{first:?}");
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(said.contains("installing the official SDK"), "{said}");
    let python = PathBuf::from(String::from_utf8_lossy(&first.stdout).trim());
    assert!(python.exists(), "{python:?}");
    let cached = machine.cached();
    let has_flock = machine.directory.path().join("flock").exists();
    assert!(!has_flock || cached.len() == 1, "{cached:?}");
    let second = machine.run();
    assert_eq!((second.stdout, second.stderr), (first.stdout, Vec::new()));
}

#[test]
fn tests_that_start_together_install_once() {
    let count = r#"echo installed >>"$XDG_CACHE_HOME/installations""#;
    let machine = Machine::with(Some(&PYTHON.replace("INSTALL", count)));
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let runs = [(); 4].map(|()| scope.spawn(|| machine.run()));
        runs.map(|run| run.join().expect("no panic")).into()
    });
    for output in &outputs {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, outputs[0].stdout);
    }
    let installations = fs::read_to_string(machine.directory.path().join("installations"));
    let times = installations.expect("an installation").lines().count();
    // Without flock it may be made twice, and is moved into place whole.
    let has_flock = machine.directory.path().join("flock").exists();
    assert!(times == 1 || !has_flock, "{times} times");
}
