//! The archive that is installed from: programs, documentation, charts and units. The container is made of it.
//!
//! Two runs from the same sources, with the same compiler, give the same bytes: entries are sorted, belong to nobody and
//! are as old as the commit; paths of the machine are taken out of the programs.

use crate::workspace::fault;
use crate::{process, workspace};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The profile of the programs, as the workspace's manifest has it.
const PROFILE: &str = "dist";

/// Packages with programs, and these.
const PROGRAMS: [(&str, &str); 3] = [
    ("butler-cli", "butler"),
    ("butler-server", "butler-server"),
    ("butler-pps", "butler-pps"),
];

/// What else is in the archive.
const FILES: [&str; 7] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "charts",
    "deploy",
    "docs",
];

/// How an archive is made.
pub(crate) struct Dist {
    /// Where it goes.
    pub(crate) output: PathBuf,
    /// Where the programs are, if they were built already.
    pub(crate) programs: Option<PathBuf>,
}

impl Dist {
    /// Builds the programs, unless they are there, and packs them. Gives the archive's path.
    pub(crate) fn make(&self) -> Result<(PathBuf, String), String> {
        let epoch = epoch()?;
        let built;
        let programs = match &self.programs {
            Some(directory) => directory,
            None => {
                built = build()?;
                &built
            }
        };
        let target = host()?;
        let name = format!("butler-{}-{target}", env!("CARGO_PKG_VERSION"));
        fs::create_dir_all(&self.output).map_err(|error| fault(&self.output, &error))?;
        let staging = self.output.join(".staging");
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(|error| fault(&staging, &error))?;
        }
        stage(programs, &staging.join(&name))?;
        let archive = self.output.join(format!("{name}.tar.gz"));
        pack(&staging, &name, &archive, &epoch)?;
        fs::remove_dir_all(&staging).map_err(|error| fault(&staging, &error))?;
        let sum = process::output(
            Command::new("sha256sum")
                .arg(format!("{name}.tar.gz"))
                .current_dir(&self.output),
        )?;
        let sums = self.output.join("SHA256SUMS");
        fs::write(&sums, format!("{sum}\n")).map_err(|error| fault(&sums, &error))?;
        let size = fs::metadata(&archive)
            .map_err(|error| fault(&archive, &error))?
            .len();
        let summary = format!("{} ({} MiB)", archive.display(), size >> 20);
        Ok((archive, summary))
    }
}

/// The time that everything in the archive has: `SOURCE_DATE_EPOCH`, else that of the last commit.
fn epoch() -> Result<String, String> {
    if let Ok(epoch) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(workspace::root());
    process::output(&mut git)
        .map_err(|error| format!("set SOURCE_DATE_EPOCH, or run this in a Git repository: {error}"))
}

/// The platform that programs are built for.
fn host() -> Result<String, String> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
        .ok_or_else(|| "rustc names no host".to_owned())
}

/// Packages with programs that the workspace has.
fn programs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let there = |package: &str| workspace::root().join(package).join("Cargo.toml").exists();
    PROGRAMS
        .into_iter()
        .filter(move |(package, _)| there(package))
}

/// Builds all programs, with the caller's `RUSTFLAGS` and more, and gives the directory that they are in.
fn build() -> Result<PathBuf, String> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--profile", PROFILE]);
    for (package, program) in programs() {
        cargo.args(["--package", package, "--bin", program]);
    }
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let mut flags = env::var("RUSTFLAGS").unwrap_or_default();
    flags += &format!(" --remap-path-prefix={}=/src", workspace::root().display());
    if let Some(home) = home {
        flags += &format!(" --remap-path-prefix={}=/cargo", home.display());
    }
    process::run(cargo.env("RUSTFLAGS", flags))?;
    Ok(workspace::target_dir()?.join(PROFILE))
}

/// Lays everything out as it is to be in the archive.
fn stage(programs_directory: &Path, root: &Path) -> Result<(), String> {
    let bin = root.join("bin");
    fs::create_dir_all(&bin).map_err(|error| fault(&bin, &error))?;
    for (_, program) in programs() {
        let from = programs_directory.join(program);
        fs::copy(&from, bin.join(program)).map_err(|error| fault(&from, &error))?;
    }
    for name in FILES {
        copy(&workspace::root().join(name), &root.join(name))?;
    }
    let licences = process::output(
        workspace::cargo()
            .args([
                "tree",
                "--workspace",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
            ])
            .args(["--no-dedupe", "--target", &host()?, "--format", "{p}\t{l}"]),
    )?;
    // Where the workspace is does not matter; the rest is name, version and licence of what is in the programs.
    let mut lines: Vec<&str> = licences
        .lines()
        .filter(|line| !line.contains(" (/"))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let list = root.join("DEPENDENCIES");
    fs::write(&list, lines.join("\n") + "\n").map_err(|error| fault(&list, &error))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        return fs::copy(from, to)
            .map(drop)
            .map_err(|error| fault(from, &error));
    }
    fs::create_dir_all(to).map_err(|error| fault(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| fault(from, &error))? {
        let name = entry.map_err(|error| fault(from, &error))?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Packs a directory. GNU's tar does what is needed: it sorts, and takes owners and times from here.
fn pack(directory: &Path, name: &str, archive: &Path, epoch: &str) -> Result<(), String> {
    let tar = archive.with_extension("");
    process::output(
        Command::new("tar")
            .args([
                "--create",
                "--format=ustar",
                "--sort=name",
                "--numeric-owner",
            ])
            .args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX"])
            .arg(format!("--mtime=@{epoch}"))
            .arg("--file")
            .arg(&tar)
            .arg("--directory")
            .arg(directory)
            .arg(name),
    )?;
    // Without a name and a time of its own.
    process::output(
        Command::new("gzip")
            .args(["--no-name", "--best", "--force"])
            .arg(&tar),
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, SystemTime};

    /// Programs that differ in age, rights and order between two calls.
    fn programs_of(directory: &Path, reverse: bool) {
        fs::create_dir_all(directory).expect("a directory can be made");
        let mut names: Vec<&str> = programs().map(|(_, program)| program).collect();
        if reverse {
            names.reverse();
        }
        for name in names {
            let path = directory.join(name);
            fs::write(&path, format!("the program {name}")).expect("a file can be written");
            let mode = if reverse { 0o700 } else { 0o755 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("rights can be set");
            let age = Duration::from_secs(if reverse { 1_000_000 } else { 5 });
            let file = File::options()
                .append(true)
                .open(&path)
                .expect("it is there");
            file.set_modified(SystemTime::now() - age)
                .expect("times can be set");
        }
    }

    #[test]
    fn two_archives_of_the_same_build_are_the_same_bytes() {
        let base = workspace::target_dir()
            .expect("tests run from a target directory")
            .join(format!("dist-test-{}", std::process::id()));
        let archives = [false, true].map(|reverse| {
            let place = base.join(if reverse { "second" } else { "first" });
            let programs = place.join("programs");
            programs_of(&programs, reverse);
            let dist = Dist {
                output: place.join("output"),
                programs: Some(programs),
            };
            let (archive, _) = dist.make().expect("an archive can be made");
            let sums = archive.with_file_name("SHA256SUMS");
            let checked = process::output(
                Command::new("sha256sum")
                    .arg("--check")
                    .arg(sums)
                    .current_dir(archive.parent().expect("it is in a directory")),
            );
            assert!(checked.is_ok(), "{checked:?}");
            archive
        });
        let [first, second] = archives
            .each_ref()
            .map(|archive| fs::read(archive).expect("the archive is there"));
        assert!(first == second, "the archives differ");
        let listed = process::output(Command::new("tar").arg("-tzvf").arg(&archives[0]));
        let listed = listed.expect("tar reads it");
        for (_, program) in programs() {
            let line = listed
                .lines()
                .find(|line| line.ends_with(&format!("/bin/{program}")));
            let line = line.unwrap_or_else(|| panic!("no {program} in\n{listed}"));
            assert!(line.starts_with("-rwxr-xr-x 0/0"), "{line}");
        }
        for file in [
            "charts/butler/Chart.yaml",
            "docs/server.md",
            "deploy/systemd",
            "DEPENDENCIES",
        ] {
            assert!(listed.contains(file), "no {file} in\n{listed}");
        }
        fs::remove_dir_all(base).expect("it can be removed");
    }
}
