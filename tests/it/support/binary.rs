//! The product as a process: started with an empty environment, its output gathered while it runs.
//!
//! It knows nothing of servers or configurations; that is `rig_cli`.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::until::{SOON, until, within};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_zendesk-dirsync");

/// A process that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Demands an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

type Gathered = Arc<Mutex<Vec<u8>>>;

fn locked(gathered: &Gathered) -> MutexGuard<'_, Vec<u8>> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Started {
    child: Child,
    stdout: Gathered,
    stderr: Gathered,
    readers: Vec<JoinHandle<()>>,
}

/// A command with an environment that holds nothing but what is given.
pub fn command<S: AsRef<OsStr>>(dir: &Path, args: &[S], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("NO_COLOR", "1").envs(environment.iter().copied());
    command.current_dir(dir).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Started {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = Gathered::default();
        let stderr = Gathered::default();
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|from| gather(from, &stdout)));
        readers.extend(child.stderr.take().map(|from| gather(from, &stderr)));
        Self { child, stdout, stderr, readers }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&locked(&self.stdout)).into_owned()
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&locked(&self.stderr)).into_owned()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("the signal is sent");
    }

    /// Waits until stderr says something.
    #[track_caller]
    pub fn says(&self, text: &str) {
        self.says_times(text, 1);
    }

    /// Waits until stderr says something so many times.
    #[track_caller]
    pub fn says_times(&self, text: &str, times: usize) {
        let found = within(SOON, || (self.stderr().matches(text).count() >= times).then_some(()));
        assert!(found.is_some(), "stderr doesn't say {text:?} {times} times:\n{}", self.stderr());
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let ended = within(SOON, || self.child.try_wait().expect("it can be waited for"));
        let Some(status) = ended else {
            panic!("still runs after {SOON:?}\n{}\n{}", self.stdout(), self.stderr());
        };
        self.gathered(status)
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) -> Finished {
        self.child.kill().expect("it is killed");
        let status = self.child.wait().expect("it can be waited for");
        self.gathered(status)
    }

    fn gathered(&mut self, status: ExitStatus) -> Finished {
        // A process of its own that outlived it would keep the pipe open; there is none.
        for reader in self.readers.drain(..) {
            until(SOON, "the end of its output", || reader.is_finished().then_some(()));
            reader.join().expect("its output was read");
        }
        Finished { code: status.code(), signal: status.signal(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A test that failed must not leave a daemon behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(mut from: impl Read + Send + 'static, into: &Gathered) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length) = from.read(&mut part) {
            if length == 0 {
                break;
            }
            locked(&into).extend_from_slice(&part[..length]);
        }
    })
}
