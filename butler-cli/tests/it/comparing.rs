//! The command of the reference and ours on the same repositories.

use std::fs;
use std::path::Path;
use std::process::Command;

use butler_tests::postgres::TestSchema;
use butler_tests::python::{Script, collection_steps};
use serde_json::{Value, json};

use crate::support::{Done, Place, run_in};

/// Repositories that the reference has made, all alike.
struct Repository {
    place: Place,
    /// Kept as long as the repository.
    _schema: Option<TestSchema>,
}

impl Repository {
    fn new(postgres: bool) -> Self {
        let place = Place::empty();
        let schema = postgres.then(TestSchema::new);
        let mut script = Script::new("make_repo.py").arg(place.path().join("repo"));
        if let Some(schema) = &schema {
            script = script.args(["--db", schema.url(), "--namespace", schema.name()]);
        }
        let data = "base.yaml,datasets.yaml,spatial.yaml";
        script.args(["--data", data, "--no-collections"]).run();
        let repository = Self {
            place,
            _schema: schema,
        };
        repository.write();
        repository
    }

    /// A place for a repository that is to be made.
    fn nowhere() -> Self {
        Self {
            place: Place::empty(),
            _schema: None,
        }
    }

    /// Collections of all types.
    fn write(&self) {
        Script::new("write_repo.py")
            .arg(self.root())
            .input(&collection_steps())
            .run();
    }

    fn root(&self) -> std::path::PathBuf {
        self.place.path().join("repo")
    }

    /// Lets the reference run command lines.
    fn by_reference(&self, lines: &[Vec<String>]) -> Vec<Done> {
        let answer = Script::new("commands.py")
            .arg(self.root())
            .arg("--exact")
            .input(&json!(lines))
            .run();
        let done = answer.as_array().unwrap().iter().map(|done| Done {
            status: i32::try_from(done["status"].as_i64().unwrap()).unwrap(),
            stdout: done["output"].as_str().unwrap().as_bytes().to_vec(),
            stderr: String::new(),
        });
        done.collect()
    }

    /// Runs the same lines here.
    fn here(&self, lines: &[Vec<String>]) -> Vec<Done> {
        let root = self.root().to_str().unwrap().to_owned();
        let run = |line: &Vec<String>| {
            let words = line.iter().map(|word| match word.as_str() {
                "REPO" => root.clone(),
                other => other.to_owned(),
            });
            run_in(self.place.path(), &words.collect::<Vec<_>>(), "")
        };
        lines.iter().map(run).collect()
    }

    /// Runs lines here or by the reference.
    fn run(&self, here: bool, lines: &[Vec<String>]) -> Vec<Done> {
        match here {
            true => self.here(lines),
            false => self.by_reference(lines),
        }
    }

    /// The same; they must succeed.
    fn succeed(&self, here: bool, lines: &[&str]) -> Vec<Done> {
        let split: Vec<Vec<String>> = lines.iter().map(|line| words(line)).collect();
        let done = self.run(here, &split);
        for (line, done) in lines.iter().zip(&done) {
            assert_eq!(done.status, 0, "butler {line}\n{}", done.shown());
        }
        done
    }

    /// What is in the repository, but for what depends on the time.
    fn contents(&self) -> Value {
        let mut found = Script::new("dump_repo.py").arg(self.root()).run();
        for dataset in found["datasets"].as_array_mut().unwrap() {
            dataset.as_object_mut().unwrap().remove("ingest_date");
        }
        found
    }
}

/// Compares the contents of two repositories, part by part.
fn assert_same(theirs: &Value, ours: &Value) {
    for (part, content) in theirs.as_object().unwrap() {
        assert_eq!(content, &ours[part], "{part}");
    }
}

/// A table: its titles and rows.
type Table = (Vec<String>, Vec<Vec<String>>);

/// The tables in a text: rows below titles that are underlined.
fn tables(text: &str) -> Vec<Table> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &str| {
        line.contains('-') && line.chars().all(|character| matches!(character, '-' | ' '))
    };
    let mut tables = Vec::new();
    for place in 1..lines.len() {
        if !is_rule(lines[place]) {
            continue;
        }
        let mut columns = Vec::new();
        let mut start = 0;
        for rule in lines[place].split(' ') {
            columns.push((start, start + rule.len()));
            start += rule.len() + 1;
        }
        let cells = |line: &str| -> Vec<String> {
            let characters: Vec<char> = line.chars().collect();
            let cell = |&(start, end): &(usize, usize)| {
                let cell = characters.get(start..end.min(characters.len()));
                let cell: String = cell.unwrap_or_default().iter().collect();
                cell.trim().replace(['[', ']', '\''], "")
            };
            columns.iter().map(cell).collect()
        };
        let rows = lines[place + 1..].iter();
        let rows = rows
            .take_while(|line| !line.is_empty())
            .map(|line| cells(line));
        tables.push((cells(lines[place - 1]), rows.collect()));
    }
    tables
}

fn words(line: &str) -> Vec<String> {
    crate::support::words(line)
}

const READING: [&str; 43] = [
    "query-collections REPO",
    "query-collections REPO --chains TABLE",
    "query-collections REPO --chains INVERSE-TABLE",
    "query-collections REPO --chains TREE --show-dataset-types",
    "query-collections REPO --chains TABLE -t --exclude-dataset-types b*",
    "query-collections REPO --chains INVERSE-TABLE -t",
    "query-collections REPO --chains INVERSE-TREE -t",
    "query-collections REPO --chains FLATTEN -t",
    "query-collections REPO --chains no-children",
    "query-collections REPO out* --chains INVERSE-TREE",
    "query-collections REPO --collection-type RUN --collection-type TAGGED",
    "query-collections REPO tag,chain imported_g --chains FLATTEN",
    "query-collections REPO absent",
    "query-dataset-types REPO",
    "query-dataset-types REPO --verbose",
    "query-dataset-types REPO b* --collections tag",
    "query-dataset-types REPO absent",
    "query-datasets REPO * --collections * --limit 0",
    "query-datasets REPO bias --collections outer --find-first --limit 0",
    "query-datasets REPO bias,flat --collections imported_r,imported_g --find-first",
    "query-datasets REPO bias --collections imported_g,tag",
    "query-datasets REPO bias --collections calib",
    "query-datasets REPO bias --collections imported_g --show-uri --order-by detector",
    "query-datasets REPO flat --collections imported_r --where \"instrument='Cam1' AND detector > 2\"",
    "query-datasets REPO flat --collections imported_* --order-by detector,-physical_filter",
    "query-datasets REPO absent --collections imported_g",
    "query-datasets REPO bias --collections absent",
    "query-datasets REPO bias --collections imported_* --find-first",
    "query-datasets REPO bias --collections imported_g --where \"instrument='Cam1' AND detector = 99\"",
    "query-data-ids REPO detector physical_filter --limit 0",
    "query-data-ids REPO visit,detector --where \"instrument='Cam1' AND visit > 1\"",
    "query-data-ids REPO --datasets flat --collections imported_r",
    "query-data-ids REPO detector --datasets b* --collections tag --order-by -detector",
    "query-data-ids REPO tract patch --where \"skymap='SkyMap1' AND tract = 0\"",
    "query-dimension-records REPO instrument",
    "query-dimension-records REPO detector --limit 0",
    "query-dimension-records REPO visit --order-by -id",
    "query-dimension-records REPO physical_filter --where \"band='r'\"",
    "query-dimension-records REPO detector --datasets flat --collections imported_g",
    "query-dimension-records REPO absent",
    "query-dimension-records REPO patch",
    "config-validate REPO --dataset-type document",
    "config-validate REPO --dataset-type absent",
];

#[test]
fn reading_commands_give_the_same_rows() {
    for postgres in [false, true] {
        let repository = Repository::new(postgres);
        let lines: Vec<Vec<String>> = READING.iter().map(|line| words(line)).collect();
        let theirs = repository.by_reference(&lines);
        let ours = repository.here(&lines);
        for ((line, theirs), ours) in READING.iter().zip(theirs).zip(ours) {
            let both = format!("butler {line}\n{}\n{}", theirs.shown(), ours.shown());
            assert_eq!(theirs.status, ours.status, "{both}");
            let [mut theirs, mut ours] = [tables(theirs.text()), tables(ours.text())];
            if line.contains("FLATTEN") || line.contains("no-children") {
                // The reference lists what patterns match in no particular order.
                for (_, rows) in theirs.iter_mut().chain(&mut ours) {
                    rows.sort_unstable();
                }
            }
            assert_eq!(theirs, ours, "{both}");
        }
    }
}

#[test]
fn configurations_are_shown_alike() {
    let repository = Repository::new(false);
    let lines: Vec<Vec<String>> = [
        "config-dump REPO",
        "config-dump REPO -s .datastore.root",
        "config-dump REPO -s .datastore.records",
        "config-dump REPO -s .registry.managers",
        "config-dump REPO --subset .absent",
    ]
    .iter()
    .map(|line| words(line))
    .collect();
    let theirs = repository.by_reference(&lines);
    let ours = repository.here(&lines);
    for ((line, theirs), ours) in lines.iter().zip(theirs).zip(ours) {
        assert_eq!(theirs.status, ours.status, "{line:?}");
        let parsed = |text: &str| butler_core::yaml::parse(text).unwrap().to_json();
        assert_eq!(parsed(theirs.text()), parsed(ours.text()), "{line:?}");
    }
}

/// Lines that change a repository; FILES is a directory with files to take in.
const WRITING: [&str; 33] = [
    "collection-chain REPO new imported_g,imported_r --doc \"A new chain.\"",
    "collection-chain REPO new tag --mode prepend",
    "collection-chain REPO new calib --mode extend",
    "collection-chain REPO new imported_r --mode remove",
    "collection-chain REPO new --mode pop",
    "collection-chain REPO new --mode pop -- -1",
    "collection-chain REPO flat outer --flatten",
    "collection-chain REPO absent --mode pop",
    "collection-chain REPO new outer --flatten --mode remove",
    "collection-chain REPO new",
    "associate REPO selection --dataset-type flat --collections imported_r --where \"instrument='Cam1' AND detector > 2\"",
    "associate REPO selection --dataset-type b* --collections imported_g,imported_r --find-first",
    "certify-calibrations REPO imported_g calib2 bias --begin-date 2020-01-01 --end-date 2020-02-01T12:00:00",
    "certify-calibrations REPO chain calib2 bias --begin-date 2021-01-01",
    "certify-calibrations REPO imported_g calib2 bias --begin-date 2020-01-15",
    "certify-calibrations REPO imported_g calib3 absent",
    "register-dataset-type REPO table ArrowTable instrument visit",
    "register-dataset-type REPO table ArrowTable visit instrument",
    "register-dataset-type REPO table ArrowTable instrument",
    "register-dataset-type REPO dark StructuredDataDict detector --is-calibration",
    "register-dataset-type REPO page StructuredDataDict instrument detector",
    "register-dataset-type REPO table.columns ArrowColumnList",
    "remove-dataset-type REPO tab* absent",
    "remove-dataset-type REPO bias",
    "ingest-files REPO page pages FILES/pages.csv --data-id instrument=Cam1 --prefix FILES --transfer copy --id-generation-mode DATAID_TYPE_RUN --formatter lsst.daf.butler.formatters.json.JsonFormatter",
    "ingest-files REPO dark darks FILES/darks.ecsv --prefix FILES -t direct --id-generation-mode dataid_type --no-track-file-attrs --formatter lsst.daf.butler.formatters.json.JsonFormatter",
    "associate REPO selection --dataset-type page --collections pages",
    "prune-datasets REPO pages --where \"instrument='Cam1' AND detector = 1\" --datasets page --purge pages --no-confirm",
    "prune-datasets REPO pages --where \"instrument='Cam1' AND detector = 2\" --unstore --no-confirm",
    "prune-datasets REPO --disassociate selection --datasets page --no-confirm",
    "remove-collections REPO chain --no-confirm",
    "remove-collections REPO flat --no-confirm",
    "remove-runs REPO imported_r --no-confirm --force",
];

fn write_files(directory: &Path) {
    for name in ["a", "b", "c"] {
        fs::write(
            directory.join(format!("{name}.json")),
            format!("{{\"{name}\": 1}}"),
        )
        .unwrap();
    }
    fs::write(
        directory.join("pages.csv"),
        "file,detector\na.json,1\nb.json,2\nc.json,3\n",
    )
    .unwrap();
    fs::write(
        directory.join("darks.ecsv"),
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: file, datatype: string}\n\
         # - {name: instrument, datatype: string}\n# - {name: detector, datatype: int64}\n\
         # schema: astropy-2.0\nfile instrument detector\na.json Cam1 1\na.json Cam1 2\n",
    )
    .unwrap();
}

#[test]
fn writing_commands_have_the_same_effect() {
    let files = tempfile::tempdir().unwrap();
    write_files(files.path());
    let directory = files.path().to_str().unwrap();
    let lines: Vec<Vec<String>> = WRITING
        .iter()
        .map(|line| words(&line.replace("FILES", directory)))
        .collect();
    for postgres in [false, true] {
        let [theirs, ours] = [Repository::new(postgres), Repository::new(postgres)];
        let by_reference = theirs.by_reference(&lines);
        let here = ours.here(&lines);
        for ((line, by_reference), here) in WRITING.iter().zip(by_reference).zip(here) {
            let both = format!("butler {line}\n{}\n{}", by_reference.shown(), here.shown());
            assert_eq!(by_reference.status == 0, here.status == 0, "{both}");
        }
        assert_same(&theirs.contents(), &ours.contents());
    }
}

#[test]
fn files_move_between_repositories_alike() {
    let files = tempfile::tempdir().unwrap();
    write_files(files.path());
    let directory = files.path().to_str().unwrap();
    // The reference takes what is not there for a directory only if it ends like one.
    let target = |kind: &str| format!("{directory}/{kind}/");
    let fill = [
        "register-dataset-type REPO page StructuredDataDict instrument detector".to_owned(),
        format!(
            "ingest-files REPO page pages {directory}/pages.csv --data-id instrument=Cam1 \
             --prefix {directory} --transfer copy --id-generation-mode DATAID_TYPE_RUN \
             --formatter lsst.daf.butler.formatters.json.JsonFormatter"
        ),
    ];
    let fill: Vec<Vec<String>> = fill.iter().map(|line| words(line)).collect();
    let source = Repository::new(false);
    assert!(source.here(&fill).iter().all(|done| done.status == 0));
    let source_root = source.root().to_str().unwrap().to_owned();
    let mut outcomes = Vec::new();
    for ours in [false, true] {
        let repository = Repository::new(false);
        let to = target(if ours { "ours" } else { "theirs" });
        let lines = [
            format!("retrieve-artifacts {source_root} {to} -d page --collections pages -t copy"),
            format!("retrieve-artifacts {source_root} {to} -d page --collections pages --zip"),
            format!(
                "transfer-datasets {source_root} REPO -d page --collections pages \
                 --where \"instrument='Cam1' AND detector < 3\" --register-dataset-types -t copy"
            ),
        ];
        let lines: Vec<Vec<String>> = lines.iter().map(|line| words(line)).collect();
        let done = repository.run(ours, &lines);
        for done in &done {
            assert_eq!(done.status, 0, "{}", done.shown());
        }
        let mut names: Vec<String> = files_below(Path::new(&to));
        names.sort_unstable();
        // The other implementation takes in what this one has packed.
        let zip = names.iter().find(|name| name.ends_with(".zip")).unwrap();
        let taker = Repository::new(false);
        let line = words(&format!("ingest-zip REPO {to}{zip} -t copy"));
        let taken = taker.run(!ours, &[line]);
        assert_eq!(taken[0].status, 0, "{}", taken[0].shown());
        let mut taken = taker.contents();
        // The bytes of a zip file depend on the time.
        taken.as_object_mut().unwrap().remove("files");
        outcomes.push((names, repository.contents(), taken));
    }
    let (theirs, ours) = (&outcomes[0], &outcomes[1]);
    assert_eq!(theirs.0, ours.0, "the same files are retrieved");
    assert_same(&theirs.1, &ours.1);
    assert_same(&theirs.2, &ours.2);
}

/// The paths of files below a directory, relative to it.
fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_dir() {
            let below = files_below(&entry.path()).into_iter();
            found.extend(below.map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found
}

/// The contents of a new repository but for its universe, whose explanations are in other words.
fn without_universe(mut contents: Value) -> Value {
    let attributes = contents["attributes"].as_object_mut().unwrap();
    attributes.remove("config:dimensions.json").unwrap();
    contents
}

/// How our tests take files in.
const JSON: &str = "--formatter lsst.daf.butler.formatters.json.JsonFormatter";

#[test]
fn calibrations_are_exported_alike() {
    let files = tempfile::tempdir().unwrap();
    write_files(files.path());
    let directory = files.path().to_str().unwrap();
    let source = Repository::new(false);
    let ingest = format!(
        "ingest-files REPO dark darks {directory}/pages.csv --data-id instrument=Cam1 \
         --prefix {directory} --transfer copy {JSON}"
    );
    source.succeed(
        true,
        &[
            "register-dataset-type REPO dark StructuredDataDict detector --is-calibration",
            &ingest,
            "certify-calibrations REPO darks dark/calib dark --begin-date 2020-01-01",
            "collection-chain REPO dark/chain dark/calib",
        ],
    );
    let mut outcomes = Vec::new();
    for here in [false, true] {
        let to = format!("{directory}/{}", if here { "ours" } else { "theirs" });
        let done = source.succeed(
            here,
            &[
                &format!("export-calibs REPO {to} dark/chain -t copy"),
                &format!("export-calibs REPO {to}-of-type dark* -d dark"),
                &format!("export-calibs REPO {to}-nothing imported_g"),
                &format!("export-calibs REPO {to}-no-type dark/calib --dataset-type absent"),
            ],
        );
        let again = words(&format!("export-calibs REPO {to} dark/chain"));
        let again = source.run(here, &[again]);
        assert_eq!(again[0].status, 1, "{}", again[0].shown());
        let shown: Vec<_> = done.iter().map(|done| tables(done.text())).collect();
        let mut names = files_below(Path::new(&to));
        names.sort_unstable();
        // The other implementation takes in what this one has exported.
        let taker = Repository::nowhere();
        taker.succeed(
            !here,
            &["create REPO", &format!("import REPO {to} -t copy")],
        );
        outcomes.push((shown, names, without_universe(taker.contents())));
    }
    let (theirs, ours) = (&outcomes[0], &outcomes[1]);
    assert_eq!(theirs.0, ours.0, "the same is listed");
    assert_eq!(theirs.1, ours.1, "the same files are exported");
    assert_same(&theirs.2, &ours.2);
}

#[test]
fn new_repositories_are_filled_alike() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data");
    let import = format!("import REPO {} -t copy", data.display());
    let [theirs, ours] = [false, true].map(|here| {
        let repository = Repository::nowhere();
        repository.succeed(
            here,
            &["create REPO", &format!("{import} --no-track-file-attrs")],
        );
        let again = repository.run(here, &[words("create REPO")]);
        assert_ne!(again[0].status, 0, "{}", again[0].shown());
        let config = fs::read_to_string(repository.root().join("butler.yaml")).unwrap();
        let config = butler_core::yaml::parse(&config).unwrap().to_json();
        (without_universe(repository.contents()), config)
    });
    assert_same(&theirs.0, &ours.0);
    assert_eq!(theirs.1, ours.1);
}

#[test]
fn the_reference_reads_our_log_records() {
    let repository = Repository::nowhere();
    repository.succeed(
        true,
        &[
            "create REPO",
            "query-datasets REPO absent --collections * --log-file log.json --log-label run=night",
        ],
    );
    let read = "import sys; from lsst.daf.butler.logging import ButlerLogRecords\n\
                for r in ButlerLogRecords.from_file(sys.argv[1]): print(r.levelname, r.MDC, r.message)";
    let output = Command::new(butler_tests::python::interpreter())
        .args(["-c", read])
        .arg(repository.place.path().join("log.json"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.starts_with("WARNING {'RUN': 'night'}") && text.contains("absent"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What other tests here compare.
const ELSEWHERE: [&str; 7] = [
    "config-dump",
    "create",
    "export-calibs",
    "import",
    "ingest-zip",
    "retrieve-artifacts",
    "transfer-datasets",
];

#[test]
fn every_sub_command_of_the_reference_is_compared() {
    let commands = Script::new("command_options.py").run();
    let lines = READING.iter().chain(&WRITING).chain(&ELSEWHERE);
    let compared: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    for name in commands.as_object().unwrap().keys() {
        assert!(
            name == "butler" || compared.contains(&name.as_str()),
            "{name}"
        );
    }
}
