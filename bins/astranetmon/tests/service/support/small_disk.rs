use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the disk, in bytes. Half of it is taken by something else until there is room.
const SIZE: &str = "64m";
const TAKEN: &str = "32M";

/// A disk in memory that only the processes of one mount namespace see.
pub(crate) struct SmallDisk {
    folder: PathBuf,
    /// A process inside.
    process: u32,
}

impl SmallDisk {
    /// Whether this process may make one.
    pub(crate) fn possible() -> bool {
        let tried = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    }

    /// A command that mounts the disk on `folder` for itself, does `prepare`, and becomes `program`.
    pub(crate) fn command(folder: &Path, prepare: &str, program: &[&str]) -> Command {
        let script = format!(
            "mount -t tmpfs -o size={SIZE},mode=0755 none \"$0\" && head -c {TAKEN} /dev/zero >\"$0/taken\" && \
             {prepare} && exec \"$@\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(folder).args(program);
        command
    }

    /// The disk of a process that such a command has become.
    pub(crate) fn of(folder: &Path, process: u32) -> Self {
        Self { folder: folder.to_owned(), process }
    }

    /// What has taken half of the disk goes.
    pub(crate) fn make_room(&self) {
        let process = self.process.to_string();
        let removed = Command::new("nsenter")
            .args(["--mount", "--target", &process, "rm"])
            .arg(self.folder.join("taken"))
            .status();
        assert!(removed.expect("nsenter runs").success());
    }
}
