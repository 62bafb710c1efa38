//! Finds images in the repository of `butler demo`, whose address is the argument. The demo prints
//! the lines of `overhead`.

use butler::{DatasetRef, OpenOptions, SimpleQuery};

/// The raw images that were taken near the zenith, with default collections to look for them in.
pub(crate) async fn overhead(repository: &str) -> butler::Result<Vec<DatasetRef>> {
    let options = OpenOptions::default().collections(["Prompt/Available"]);
    let butler = butler::open(repository, options).await?.reader();
    let query = SimpleQuery::new("exposure.zenith_angle < 20");
    let raws = butler.query_datasets("raw", None, &query).await?;
    Ok(raws)
}

#[tokio::main]
async fn main() -> butler::Result<()> {
    let repository = std::env::args().nth(1);
    let repository = repository.unwrap_or("http://127.0.0.1:8080/api/butler/repo/demo".to_owned());
    for raw in overhead(&repository).await? {
        #[allow(clippy::print_stdout, reason = "it is a program")]
        {
            println!("{raw}");
        }
    }
    Ok(())
}
