//! The pages of a query as a stream.

use std::future::Future;

use butler_core::error::{Error, Result};
use butler_core::query::{PageStream, ResultPage};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;

/// Pages that may wait to be taken, and with the last of them the word that there are no more.
const WAITING: usize = 2;

/// A page; at the end none, or what went wrong.
type Message = Result<Option<ResultPage>>;

/// Where pages are put.
#[derive(Debug)]
pub(super) struct Pages(mpsc::Sender<Message>);

impl Pages {
    /// Puts a page there, and says whether anybody wants more.
    pub(super) async fn give(&self, page: ResultPage) -> bool {
        self.0.send(Ok(Some(page))).await.is_ok()
    }

    /// Whether nobody wants more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until nobody wants more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Who makes the pages.
enum Making {
    /// Whoever takes them.
    Here(BoxFuture<'static, ()>, mpsc::Receiver<Message>),
    /// A task, or nobody any more.
    There(mpsc::Receiver<Message>),
}

/// The pages that `work` gives.
///
/// Until the first of them it is done where the stream is awaited: to hand a small answer from one
/// thread to the next takes longer than to make it. What is then left is done by a task, which
/// reads rows while the caller is busy with the page before. It ends when the stream is dropped.
pub(super) fn stream<F, W>(work: F) -> PageStream
where
    F: FnOnce(Pages) -> W,
    W: Future<Output = (Pages, Result<()>)> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = work(Pages(sender)).then(|(pages, outcome)| async move {
        // If nobody listens, nobody wants to know.
        let _ = pages.0.send(outcome.map(|()| None)).await;
    });
    let start = Some(Making::Here(work.boxed(), receiver));
    futures::stream::unfold(start, next).boxed()
}

async fn next(making: Option<Making>) -> Option<(Result<ResultPage>, Option<Making>)> {
    let (message, left, receiver) = match making? {
        Making::Here(mut work, mut receiver) => tokio::select! {
            biased;
            message = receiver.recv() => (message, Some(work), receiver),
            () = &mut work => (receiver.recv().await, None, receiver),
        },
        Making::There(mut receiver) => (receiver.recv().await, None, receiver),
    };
    match message {
        Some(Ok(Some(page))) => {
            if let Some(work) = left {
                tokio::spawn(work);
            }
            Some((Ok(page), Some(Making::There(receiver))))
        }
        Some(Ok(None)) => None,
        Some(Err(error)) => Some((Err(error), None)),
        None => {
            let error = Error::Internal("a query ended without an end".to_owned());
            Some((Err(error), None))
        }
    }
}
