//! Official clients: scripts of `tests/clients/` run by Node or Python, spoken with line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::process::Process;

/// A line or the end is waited for at most so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running client script. It prints facts on standard output, one a line, and takes orders on standard input.
pub struct Script {
    name: String,
    process: Process,
    orders: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Script {
    /// Runs `tests/clients/<name>` with Node.
    pub fn node(name: &str, args: &[&str]) -> Self {
        Self::run(Command::new("node"), name, args)
    }

    /// Runs `tests/clients/<name>` with the Python that has the clients: `.build/venv`, or the one that `PYTHON` names.
    pub fn python(name: &str, args: &[&str]) -> Self {
        Self::run(python(), name, args)
    }

    /// Runs code with Node, as a module that may import the clients.
    pub fn node_code(code: &str) -> Self {
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", code]);
        Self::start(command, "code for Node")
    }

    /// Runs code with the Python that has the clients.
    pub fn python_code(code: &str) -> Self {
        let mut command = python();
        command.args(["-c", code]);
        Self::start(command, "code for Python")
    }

    fn run(mut command: Command, name: &str, args: &[&str]) -> Self {
        command.arg(name).args(args);
        Self::start(command, name)
    }

    fn start(mut command: Command, name: &str) -> Self {
        command.current_dir(root().join("tests/clients")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let orders = process.child().stdin.take().expect("standard input is a pipe");
        let output = process.child().stdout.take().expect("standard output is a pipe");
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { name: name.to_owned(), process, orders, lines }
    }

    /// The next line; `None` when the script has ended. Panics if neither comes in time.
    pub async fn line(&mut self) -> Option<String> {
        self.line_after(&[]).await
    }

    async fn line_after(&mut self, said: &[String]) -> Option<String> {
        match tokio::time::timeout(PATIENCE, self.lines.recv()).await {
            Ok(line) => line,
            Err(_) => panic!("{} says nothing more; it said {said:#?}", self.name),
        }
    }

    /// Skips lines until one begins with `start`, and gives the rest of it. Panics if the script ends before.
    pub async fn expect(&mut self, start: &str) -> String {
        let mut skipped = Vec::new();
        while let Some(line) = self.line_after(&skipped).await {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
            skipped.push(line);
        }
        panic!("{} ended without {start:?}; it said {skipped:#?}", self.name);
    }

    /// Sends one line to the script.
    pub fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").unwrap_or_else(|error| panic!("{} takes no orders: {error}", self.name));
    }

    /// Waits for its end.
    pub async fn finish(mut self) -> ExitStatus {
        while self.line().await.is_some() {}
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.child().try_wait().expect("it is our child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{} does not end", self.name);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to end and gives it some seconds to clean up.
    pub fn terminate(&mut self) {
        self.process.signal(libc::SIGTERM);
        let start = Instant::now();
        while matches!(self.process.child().try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `SIGSTOP`, `SIGKILL` and the like: a phone that falls asleep or dies.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }
}

/// The Python that has the clients.
pub fn python() -> Command {
    let own = root().join(".build/venv/bin/python");
    let mut command = Command::new(std::env::var_os("PYTHON").map_or(own, PathBuf::from));
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The folder of the crate.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the crate.
pub fn files_below(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder of the crate");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_below(path) } else { vec![path] }).collect()
}

/// [`files_below`] whose names end in one of these.
pub fn files_with(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut files = files_below(folder);
    files.retain(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    files
}
