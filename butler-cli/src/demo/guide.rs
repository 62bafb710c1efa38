//! What to do with the demo, as lines to be pasted.

use std::net::SocketAddr;

use super::place::Demo;

/// The label of the repository on the server.
pub(crate) const LABEL: &str = "demo";

/// A program that uses the demo. The lines of its function are for pasting.
const EXAMPLE: &str = include_str!("../../../butler/examples/demo.rs");

/// Says where the repository is and, if a server runs on it, how to reach it.
pub(crate) fn guide(demo: &Demo, server: Option<SocketAddr>) -> String {
    let made = match demo.made_in {
        Some(time) => format!("made in {:.1} s", time.as_secs_f64()),
        None => "it was there".to_owned(),
    };
    let place = format!("Repository  {}  ({made})", demo.directory.display());
    let Some(address) = server else {
        return place;
    };
    let url = format!("http://{address}/api/butler/repo/{LABEL}");
    format!(
        r#"{place}
Server      http://{address}/  (a page to look at; Ctrl-C ends it)

curl
  curl -s '{url}/v1/collection_summary?name=Prompt/Available'

butler
  butler query-collections {url} --chains tree
  butler query-datasets {url} preliminary_visit_image --collections Prompt/Available --where "instrument = 'LSSTCam' AND detector = 94 AND visit.region OVERLAPS POINT(53.16, -28.1)"

Python (pip install 'lsst-daf-butler[remote]')
  BUTLER_RUBIN_ACCESS_TOKEN=anybody python -c '
  from lsst.daf.butler import Butler
  butler = Butler("{url}", collections="Prompt/Available")
  ref = butler.query_datasets("preliminary_visit_summary", limit=1)[0]
  print(ref, butler.get(ref))'

Rust (crate butler; the program is butler/examples/demo.rs)
  let repository = "{url}";
{}"#,
        rust_lines()
    )
}

/// What is in the function of the example before its result, indented as what is printed.
fn rust_lines() -> String {
    let lines = EXAMPLE.lines().skip_while(|line| !line.ends_with(" {"));
    let lines = lines
        .skip(1)
        .take_while(|line| !line.starts_with("    Ok("));
    let lines: Vec<&str> = lines.map(|line| line.get(2..).unwrap_or(line)).collect();
    lines.join("\n")
}
