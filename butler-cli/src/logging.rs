//! Log messages on standard error, in the manner of a command line, and in files.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use console::Style;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use crate::failure::{Failure, Outcome};
use crate::log_record::JsonRecords;
use crate::progress::Bars;

/// What is logged, and how.
#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// Log messages of this level and above; may be given several times, for one component each.
    ///
    /// The levels are CRITICAL, ERROR, WARNING (the default), INFO, VERBOSE, DEBUG and TRACE.
    /// COMPONENT is a crate or module, such as butler_direct.
    #[arg(long, value_name = "LEVEL|COMPONENT=LEVEL", global = true, value_parser = directive)]
    log_level: Vec<String>,

    /// Show the time and the component of log messages.
    #[arg(long, global = true)]
    long_log: bool,

    /// Also append log messages to this file, as JSON records if it ends in .json; may be given
    /// several times
    #[arg(long, value_name = "FILE", global = true)]
    log_file: Vec<PathBuf>,

    /// What is added to the records of log files in JSON, under upper-case keys; separated by commas,
    /// may be given several times
    #[arg(long, value_name = "KEY=VALUE", global = true, value_delimiter = ',', value_parser = label)]
    log_label: Vec<(String, String)>,

    /// Show log messages (the default)
    #[arg(long, overrides_with = "no_log_tty", global = true, hide = true)]
    log_tty: bool,

    /// Show no log messages
    #[arg(long, overrides_with = "log_tty", global = true)]
    no_log_tty: bool,
}

/// The levels of the reference, whose names differ from those of `tracing`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LevelName {
    Critical,
    Error,
    Warning,
    Info,
    Verbose,
    Debug,
    Trace,
}

impl LevelName {
    const fn directive(self) -> &'static str {
        match self {
            Self::Critical | Self::Error => "error",
            Self::Warning => "warn",
            Self::Info => "info",
            Self::Verbose | Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Reads `LEVEL` or `COMPONENT=LEVEL`.
fn directive(text: &str) -> Result<String, String> {
    let (component, level) = match text.split_once('=') {
        // The reference's name of the root logger.
        Some((".", level)) => (None, level),
        Some((component, level)) => (Some(component), level),
        None => (None, text),
    };
    let level = LevelName::from_str(level, true)
        .map_err(|_| format!("'{level}' is not a level"))?
        .directive();
    Ok(component.map_or(level.to_owned(), |component| format!("{component}={level}")))
}

/// Reads `KEY=VALUE`.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' has no '=' between key and value"))?;
    Ok((key.to_uppercase(), value.to_owned()))
}

/// Where log messages go.
type Sink = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging for the rest of the process.
pub(crate) fn start(options: &Logging, bars: &Bars) -> Outcome {
    let mut sinks: Vec<Sink> = Vec::new();
    if !options.no_log_tty {
        let terminal = tracing_subscriber::fmt::layer()
            .with_ansi(console::colors_enabled_stderr())
            .with_writer(BesideBars(bars.clone()));
        sinks.push(match options.long_log {
            true => terminal.boxed(),
            false => terminal.event_format(Short).boxed(),
        });
    }
    for path in &options.log_file {
        sinks.push(file(path, &options.log_label)?);
    }
    // The database library warns of statements that take more than a second, as all do whose results
    // are many; that is for services.
    let mut directives = vec!["warn".to_owned(), "sqlx=error".to_owned()];
    directives.extend(options.log_level.iter().cloned());
    let filter = EnvFilter::new(directives.join(","));
    // It fails only if a subscriber is there already, which then serves.
    let _ = tracing_subscriber::registry()
        .with(sinks)
        .with(filter)
        .try_init();
    Ok(())
}

/// A file that messages are appended to.
fn file(path: &Path, labels: &[(String, String)]) -> Outcome<Sink> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    let opened = opened.map_err(|error| Failure::writing(Some(path), &error))?;
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Mutex::new(opened));
    Ok(match path.extension().is_some_and(|end| end == "json") {
        true => layer.event_format(JsonRecords::new(labels)).boxed(),
        false => layer.boxed(),
    })
}

/// `warning: what there is to say`.
struct Short;

impl<S, N> FormatEvent<S, N> for Short
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (word, style) = match *event.metadata().level() {
            Level::ERROR => ("error", Style::new().red()),
            Level::WARN => ("warning", Style::new().yellow()),
            Level::INFO => ("info", Style::new().green()),
            Level::DEBUG => ("debug", Style::new().blue()),
            Level::TRACE => ("trace", Style::new().magenta()),
        };
        let word = format!("{word}:");
        write!(writer, "{} ", style.for_stderr().bold().apply_to(word))?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Writes to standard error without tearing progress bars.
struct BesideBars(Bars);

impl<'a> MakeWriter<'a> for BesideBars {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// One message on its way to standard error.
struct Line<'a>(&'a Bars);

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.beside(|| io::stderr().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
