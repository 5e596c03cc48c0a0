//! Programs that a test starts. None outlives it, however it ends.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, mpsc};

use super::eventually_blocking;

/// A running program, killed when this is dropped.
pub struct Process(Child);

type Order = (Command, mpsc::SyncSender<std::io::Result<Child>>);

impl Process {
    /// Starts it. The kernel kills it should this process die without dropping it.
    #[track_caller]
    pub fn start(command: Command) -> Self {
        Self::start_ended_by(libc::SIGKILL, command)
    }

    /// [`Process::start`] for a program that clears up after itself when it gets this signal.
    #[track_caller]
    pub fn start_ended_by(signal: i32, mut command: Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent's memory.
        unsafe {
            command.pre_exec(move || match libc::prctl(libc::PR_SET_PDEATHSIG, signal) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let (answer, child) = mpsc::sync_channel(1);
        starter().send((command, answer)).expect("the starter thread lives as long as the process");
        match child.recv().expect("the starter thread answers") {
            Ok(child) => Self(child),
            Err(error) => panic!("{program} does not start: {error}"),
        }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub fn signal(&self, signal: i32) {
        send_signal(self.0.id(), signal);
    }
}

/// Sends a signal to a process that has not been waited for, so that its id is still its own. Returns from a SIGSTOP when all
/// threads of the process have stopped: until then it could still answer.
pub fn send_signal(pid: u32, signal: i32) {
    // SAFETY: sends a signal, to a process that the caller has started.
    unsafe { libc::kill(pid as i32, signal) };
    if signal == libc::SIGSTOP {
        eventually_blocking("it has stopped", || has_stopped(pid));
    }
}

/// Whether no thread of a process runs: each is stopped, or is gone.
fn has_stopped(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.filter_map(Result::ok).all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // After the name, which stands in brackets.
        stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['T', 't', 'Z', 'X']))
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The death signal is sent when the *thread* that forked ends, and a test's thread ends with the test. So one thread that
/// never ends starts all programs.
fn starter() -> mpsc::Sender<Order> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    starter.lock().expect("nobody panics while holding this").clone()
}
