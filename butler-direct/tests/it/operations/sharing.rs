//! Repositories that share the files of another one, and removing what they share.

use std::time::Duration;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::error::Error;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::ops::in_place::InPlaceOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::registry::trash::TrashClaim;
use butler_direct::{DirectButler, OpenOptions};

use super::fixture::{Place, RUN};

const TAG: &str = "shared/available";
const EXPIRED: &str = "shared/expired";

fn options() -> InPlaceOptions {
    InPlaceOptions {
        register_dataset_types: true,
        transfer_dimensions: true,
        tag: Some(TAG.to_owned()),
    }
}

/// A repository whose datastore has the root of another's.
async fn gateway(place: &Place, to: &Place) -> DirectButler {
    let mut config = Config::new();
    let root = to.root();
    config
        .set(".datastore.root", root.to_str().unwrap())
        .unwrap();
    place.create_with(config, None).await
}

async fn tagged(butler: &DirectButler, tag: &str) -> usize {
    butler
        .registry()
        .associations("image", &[tag.to_owned()])
        .await
        .unwrap()
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_are_taken_over_without_their_files_being_touched() {
    for place in Place::both() {
        let (source, refs) = place.with_datasets().await;
        let beside = place.sibling();
        let target = gateway(&beside, &place).await;
        let files = place.stored_files();
        let taken = target.transfer_in_place(&source, &refs, &options()).await;
        assert_eq!(taken.unwrap(), refs.len());
        assert_eq!(place.stored_files(), files);
        for dataset in &refs {
            let (here, there) = tokio::join!(target.get_bytes(dataset), source.get_bytes(dataset));
            assert_eq!(here.unwrap(), there.unwrap(), "{dataset}");
        }
        assert_eq!(tagged(&target, TAG).await, 12);

        let before = beside.state(&target).await;
        let again = target.transfer_in_place(&source, &refs, &options()).await;
        assert_eq!(again.unwrap(), 0);
        let after = beside.state(&target).await;
        before.assert_unchanged(&after, "the same transfer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_does_not_store_is_refused() {
    for place in Place::both() {
        let (source, refs) = place.with_datasets().await;
        let beside = place.sibling();
        let target = gateway(&beside, &place).await;
        let before = beside.state(&target).await;
        let ids: Vec<DatasetId> = refs[..1].iter().map(DatasetRef::id).collect();
        source.prune_ids(&ids, &Prune::Unstore).await.unwrap();
        let refused = target.transfer_in_place(&source, &refs, &options()).await;
        assert!(matches!(refused, Err(Error::DatasetNotFound(_))));
        let after = beside.state(&target).await;
        before.assert_unchanged(&after, "a refused transfer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_files_leaves_them_and_moves_the_tag() {
    for place in Place::both() {
        let (source, refs) = place.with_datasets().await;
        let beside = place.sibling();
        let target = gateway(&beside, &place).await;
        target
            .transfer_in_place(&source, &refs, &options())
            .await
            .unwrap();
        let files = place.stored_files();
        let registry = target.registry();
        registry
            .register_collection(EXPIRED, CollectionType::Tagged, None)
            .await
            .unwrap();
        for _ in 0..2 {
            target
                .forget_files(&refs, Some((TAG, EXPIRED)))
                .await
                .unwrap();
            assert_eq!(place.stored_files(), files);
            assert_eq!(tagged(&target, TAG).await, 0);
            assert_eq!(tagged(&target, EXPIRED).await, 12);
            let known = target.stored_many(&refs).await.unwrap();
            assert!(known.values().all(|stored| !stored));
            let still = registry.dataset(refs[0].id()).await.unwrap();
            assert_eq!(still.as_ref(), Some(&refs[0]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_by_id_can_be_repeated_until_it_is_done() {
    for place in Place::both() {
        let (butler, refs) = place.with_datasets().await;
        let ids: Vec<DatasetId> = refs.iter().map(DatasetRef::id).collect();
        let name = butler.datastore().name().to_owned();
        // As if a process had been killed: some datasets in the trash, one of them claimed.
        let registry = butler.registry();
        let mut transaction = registry.begin().await.unwrap();
        transaction.move_to_trash(&name, &ids[..3]).await.unwrap();
        transaction.remove_datasets(&ids[..3]).await.unwrap();
        transaction.commit().await.unwrap();
        let claim = TrashClaim::lasting(&name, Duration::from_secs(600));
        registry.claim_trash(&claim, &ids[..1]).await.unwrap();

        let left = butler.prune_ids(&ids, &Prune::Purge).await.unwrap();
        assert_eq!(left.into_iter().collect::<Vec<_>>(), ids[..1]);
        registry.release_trash(&claim, &ids[..1]).await.unwrap();
        // One that has ended keeps nobody from it.
        let ended = TrashClaim::lasting(&name, Duration::ZERO);
        registry.claim_trash(&ended, &ids[..1]).await.unwrap();
        for _ in 0..2 {
            let left = butler.prune_ids(&ids, &Prune::Purge).await.unwrap();
            assert!(left.is_empty(), "{left:?}");
        }
        let images = place.stored_files();
        assert!(
            images
                .iter()
                .all(|path| !path.to_str().unwrap().contains(RUN)),
            "{images:?}"
        );
        assert!(registry.datasets(&ids).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_on_trash_last_as_long_as_is_asked_for() {
    let place = Place::sqlite();
    place.create().await.close().await;
    let options = OpenOptions {
        trash_claim: Duration::from_secs(7),
        ..OpenOptions::writeable()
    };
    let root = place.root();
    let butler = DirectButler::open(root.to_str().unwrap(), options)
        .await
        .unwrap();
    assert_eq!(butler.registry().trash_claim(), Duration::from_secs(7));
}
