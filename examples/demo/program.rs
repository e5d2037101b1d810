//! A program that runs beside the demo and ends with it, however the demo ends.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SUPERVISE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/supervise.sh");

/// A running program. It ends when this is dropped.
pub(crate) struct Program {
    name: &'static str,
    log: PathBuf,
    shell: Mutex<Child>,
}

/// A command of our own program, deaf to what the person's environment says to another one.
pub(crate) fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_lowercase();
        // All that is asked is on this machine.
        if text.starts_with("modelarts_pool_controller_") || text.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

impl Program {
    /// Starts `command`. What it prints goes to the end of `log`.
    pub(crate) fn start(name: &'static str, log: &Path, command: &Command) -> Result<Self, String> {
        // A shell that reads from a pipe of this process: the kernel closes it when this process ends.
        let mut shell = Command::new(SUPERVISE);
        shell
            .arg(log)
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C in a terminal reaches the demo first, which then ends the others.
            .process_group(0);
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(variable, value),
                None => shell.env_remove(variable),
            };
        }
        let shell = shell
            .spawn()
            .map_err(|e| format!("failed to start {name}: {e}"))?;
        Ok(Self {
            name,
            log: log.to_owned(),
            shell: Mutex::new(shell),
        })
    }

    /// What it has printed, as soon as that contains `text`.
    pub(crate) fn wait_for(&self, text: &str, patience: Duration) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        loop {
            self.check()?;
            let output = self.output();
            if output.contains(text) {
                return Ok(output);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{} is not ready after {} s; {}",
                    self.name,
                    patience.as_secs(),
                    self.tail()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many bytes it has printed.
    pub(crate) fn output_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |m| m.len())
    }

    pub(crate) fn has_ended(&self) -> bool {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(shell.try_wait(), Ok(None))
    }

    /// Fails where it has ended by itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.has_ended() {
            Err(format!("{} ended by itself; {}", self.name, self.tail()))
        } else {
            Ok(())
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("its log ends:\n{tail}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}
