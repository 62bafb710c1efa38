//! The tables of a repository: which there are and what they look like, as a function of the
//! dimension universe and the versions of the schema's parts.

use butler_core::dimensions::{
    ColumnSpec, ColumnType, DimensionElement, DimensionGroup, DimensionUniverse, TopologicalSpace,
};

use super::collection_keys::{self, CollectionKeys};
use super::versions::SchemaVersions;
use crate::db::schema::{Field, ForeignKey, SqlType, TableSpec};

/// The table of repository-wide attributes; it is there before anything else is known.
pub fn butler_attributes() -> TableSpec {
    TableSpec::new(
        "butler_attributes",
        vec![
            Field::key("name", SqlType::String { length: 1024 }),
            Field::required("value", SqlType::String { length: 65_535 }),
        ],
    )
}

/// All tables that a new repository starts with, in an order in which they can be created.
pub fn static_tables(universe: DimensionUniverse, versions: &SchemaVersions) -> Vec<TableSpec> {
    let keys = versions.collection_keys();
    let mut specs = vec![butler_attributes()];
    specs.extend(dimension_tables(universe));
    specs.extend(dimension_group_tables());
    specs.extend(collection_tables(keys));
    specs.extend(dataset_tables(versions));
    specs.extend(summary_tables(universe, keys));
    specs.push(TableSpec::new(
        "opaque_meta",
        vec![Field::key("table_name", SqlType::String { length: 128 })],
    ));
    specs.extend(location_tables(versions));
    sorted_by_dependency(specs)
}

/// Orders tables so that each comes after those its foreign keys refer to.
fn sorted_by_dependency(mut pending: Vec<TableSpec>) -> Vec<TableSpec> {
    let mut sorted: Vec<TableSpec> = Vec::with_capacity(pending.len());
    while !pending.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = pending.iter().cloned().partition(|spec| {
            spec.foreign_keys
                .iter()
                .all(|key| key.table == spec.name || sorted.iter().any(|s| s.name == key.table))
        });
        // Foreign keys form no cycles: dimensions refer to their requirements, everything else
        // to static tables.
        assert!(
            !ready.is_empty(),
            "the foreign keys of the schema form a cycle"
        );
        sorted.extend(ready);
        pending = waiting;
    }
    sorted
}

/// The SQL type of a dimension record's field.
pub fn sql_type(column: ColumnType) -> SqlType {
    match column {
        ColumnType::Int | ColumnType::DateTime | ColumnType::IngestDate => SqlType::BigInt,
        ColumnType::String { length } => SqlType::String { length },
        ColumnType::Hash { .. } | ColumnType::Region { .. } => SqlType::Base64,
        ColumnType::Float => SqlType::Float,
        ColumnType::Bool => SqlType::Bool,
        ColumnType::Uuid => SqlType::Uuid,
        ColumnType::Timespan => SqlType::Timespan,
    }
}

fn key_type(dimension: DimensionElement) -> SqlType {
    dimension.key_type().map_or(SqlType::BigInt, sql_type)
}

/// Adds a column for `dimension` and, if the dimension has a table, a foreign key to it.
fn add_dimension(spec: &mut TableSpec, dimension: DimensionElement, primary_key: bool) {
    let field = Field {
        primary_key,
        ..Field::required(dimension.name(), key_type(dimension))
    };
    spec.add_field(field);
    if dimension.has_own_table() {
        let universe = dimension.universe();
        // The dimension's own columns carry the names of its dimensions, but for its own key.
        let target: Vec<&str> = dimension
            .required()
            .iter()
            .map(|name| match universe.get(name) {
                Some(d) if d == dimension => dimension.primary_key().map_or(*name, |k| &*k.name),
                _ => name,
            })
            .collect();
        let key = ForeignKey::new(dimension.name(), dimension.required(), &target);
        if !spec.foreign_keys.contains(&key) {
            spec.foreign_keys.push(key);
        }
    }
}

fn elements_with_tables(universe: DimensionUniverse) -> impl Iterator<Item = DimensionElement> {
    universe
        .elements()
        .filter(|element| element.has_own_table())
}

/// The table of an element's records.
pub fn element_table(element: DimensionElement) -> TableSpec {
    let universe = element.universe();
    let mut spec = TableSpec::new(element.name(), Vec::new());
    for name in element.required() {
        match universe.get(name) {
            Some(dimension) if dimension == element => {
                if let Some(key) = element.primary_key() {
                    spec.add_field(Field::key(&*key.name, sql_type(key.column_type)));
                }
            }
            Some(dimension) => add_dimension(&mut spec, dimension, true),
            None => {}
        }
    }
    for dimension in element
        .implied()
        .iter()
        .filter_map(|name| universe.get(name))
    {
        add_dimension(&mut spec, dimension, false);
    }
    let dependencies: Vec<&str> = element
        .required()
        .iter()
        .copied()
        .filter(|name| *name != element.name())
        .collect();
    for key in element.alternate_keys() {
        // The schema allows NULL here, though a record must have the value.
        spec.add_field(Field::nullable(&*key.name, sql_type(key.column_type)));
        let columns: Vec<&str> = dependencies
            .iter()
            .copied()
            .chain(std::iter::once(&*key.name))
            .collect();
        spec = spec.unique(&columns);
    }
    for column in element.metadata_columns() {
        spec.add_field(column_field(column));
    }
    if element.spatial().is_some() {
        spec.add_field(Field::nullable("region", SqlType::Base64));
    }
    if element.temporal().is_some() {
        spec.add_field(Field::nullable("timespan", SqlType::Timespan));
    }
    spec
}

/// The schema allows NULL in all fields but the dimensions, though a record may have to have a value.
fn column_field(column: &ColumnSpec) -> Field {
    Field::nullable(&*column.name, sql_type(column.column_type))
}

fn dimension_tables(universe: DimensionUniverse) -> Vec<TableSpec> {
    let mut specs = Vec::new();
    for element in elements_with_tables(universe) {
        specs.push(element_table(element));
        if element.spatial().is_some() {
            specs.extend(skypix_overlap_tables(element));
        }
    }
    specs.extend(unused_overlap_tables(universe));
    specs
}

/// The tables that relate a spatial element to the common skypix dimension: the summary, which
/// names the skypix systems in use per governor value, and the overlaps themselves.
fn skypix_overlap_tables(element: DimensionElement) -> [TableSpec; 2] {
    let universe = element.universe();
    let governor = element
        .governor()
        .expect("a spatial element has a governor dimension");
    let system_fields = || {
        vec![
            Field::key("skypix_system", SqlType::String { length: 16 }),
            Field::key("skypix_level", SqlType::SmallInt),
        ]
    };
    let summary_name = skypix_summary_name(element);
    let mut summary = TableSpec::new(&summary_name, system_fields());
    add_dimension(&mut summary, governor, true);

    let shared = ["skypix_system", "skypix_level", governor.name()];
    let mut overlap = TableSpec::new(skypix_overlap_name(element), system_fields())
        .foreign_key(ForeignKey::new(&summary_name, &shared, &shared).cascade());
    for dimension in element
        .required()
        .iter()
        .filter_map(|name| universe.get(name))
    {
        add_dimension(&mut overlap, dimension, true);
    }
    overlap.add_field(Field::key("skypix_index", SqlType::BigInt));
    let mut index: Vec<String> = ["skypix_system", "skypix_level", "skypix_index"]
        .map(str::to_owned)
        .to_vec();
    index.extend(element.required().iter().map(|name| (*name).to_owned()));
    overlap.indexes.push(index);
    [summary, overlap]
}

/// Name of the table of overlaps between an element and the common skypix dimension.
pub fn skypix_overlap_name(element: DimensionElement) -> String {
    format!("{}_skypix_overlap", element.name())
}

/// Name of the table that says which skypix systems have overlaps.
pub fn skypix_summary_name(element: DimensionElement) -> String {
    format!("{}_skypix_overlap_summary", element.name())
}

/// Tables for direct overlaps between elements of different spatial families. No released client
/// writes them, but each expects them to be there.
fn unused_overlap_tables(universe: DimensionUniverse) -> Vec<TableSpec> {
    let mut families: Vec<(_, Vec<DimensionElement>)> = Vec::new();
    for element in elements_with_tables(universe) {
        let Some(family) = element.topology(TopologicalSpace::Spatial) else {
            continue;
        };
        match families.iter_mut().find(|(f, _)| *f == family) {
            Some((_, elements)) => elements.push(element),
            None => families.push((family, vec![element])),
        }
    }
    let mut specs = Vec::new();
    for (i, (_, left)) in families.iter().enumerate() {
        for (_, right) in &families[i + 1..] {
            for (&a, &b) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
                let (a, b) = if a.index() > b.index() {
                    (b, a)
                } else {
                    (a, b)
                };
                let governors = [a, b].map(|e| e.governor());
                let mut summary =
                    TableSpec::new(format!("{}_{}_overlap_summary", a.name(), b.name()), vec![]);
                let mut overlap =
                    TableSpec::new(format!("{}_{}_overlap", a.name(), b.name()), vec![]);
                for governor in governors.into_iter().flatten() {
                    add_dimension(&mut summary, governor, true);
                    add_dimension(&mut overlap, governor, true);
                }
                for name in a.required().iter().chain(b.required()) {
                    if let Some(dimension) = universe.get(name).filter(|d| !d.is_governor()) {
                        add_dimension(&mut overlap, dimension, true);
                    }
                }
                specs.extend([summary, overlap]);
            }
        }
    }
    specs
}

fn dimension_group_tables() -> [TableSpec; 2] {
    [
        TableSpec::new("dimension_graph_key", vec![Field::auto_key("id")]),
        TableSpec::new(
            "dimension_graph_definition",
            vec![
                Field::key("dimension_graph_id", SqlType::BigInt),
                Field::key("dimension_name", SqlType::Text),
            ],
        )
        .foreign_key(
            ForeignKey::new("dimension_graph_key", &["dimension_graph_id"], &["id"]).cascade(),
        ),
    ]
}

fn collection_key(keys: CollectionKeys, column: &str) -> ForeignKey {
    ForeignKey::new("collection", &[column], &[keys.column()])
}

fn collection_tables(keys: CollectionKeys) -> [TableSpec; 3] {
    let shared = [
        Field::required("type", SqlType::SmallInt),
        Field::nullable("doc", SqlType::Text),
    ];
    let mut collection = match keys {
        CollectionKeys::Numbers => TableSpec::new(
            "collection",
            vec![
                Field::auto_key(keys.column()),
                Field::required("name", collection_keys::NAME),
            ],
        )
        .unique(&["name"]),
        CollectionKeys::Names => TableSpec::new(
            "collection",
            vec![Field::key(keys.column(), collection_keys::NAME)],
        ),
    };
    collection.fields.extend(shared);
    let own_type = keys.own_sql_type();
    [
        collection,
        TableSpec::new(
            "run",
            vec![
                Field::key(keys.column(), own_type),
                Field::nullable("host", SqlType::String { length: 128 }),
                Field::nullable("timespan", SqlType::Timespan),
            ],
        )
        .foreign_key(collection_key(keys, keys.column()).cascade()),
        TableSpec::new(
            "collection_chain",
            vec![
                Field::key("parent", own_type),
                Field::key("position", SqlType::SmallInt),
                Field::required("child", own_type),
            ],
        )
        .foreign_key(collection_key(keys, "parent").cascade())
        .foreign_key(collection_key(keys, "child")),
    ]
}

fn dataset_tables(versions: &SchemaVersions) -> [TableSpec; 2] {
    let keys = versions.collection_keys();
    let run = keys.run_reference();
    let ingest_date = if versions.ingest_date_is_tai() {
        SqlType::BigInt
    } else {
        SqlType::Timestamp
    };
    [
        TableSpec::new(
            "dataset_type",
            vec![
                Field::auto_key("id"),
                Field::required("name", SqlType::String { length: 128 }),
                Field::required("storage_class", SqlType::String { length: 64 }),
                Field::required("dimensions_key", SqlType::BigInt),
                Field::required("tag_association_table", SqlType::String { length: 128 }),
                Field::nullable(
                    "calibration_association_table",
                    SqlType::String { length: 128 },
                ),
            ],
        )
        .unique(&["name"]),
        TableSpec::new(
            "dataset",
            vec![
                Field::key("id", SqlType::Uuid),
                Field::required("dataset_type_id", SqlType::BigInt),
                Field::required("ingest_date", ingest_date),
                Field::required(run, keys.sql_type()),
            ],
        )
        .foreign_key(ForeignKey::new(
            "dataset_type",
            &["dataset_type_id"],
            &["id"],
        ))
        .foreign_key(ForeignKey::new("run", &[run], &[keys.column()]).cascade()),
    ]
}

/// Name of the table that says which values of a governor dimension a collection holds.
pub fn governor_summary_name(governor: &str) -> String {
    format!("collection_summary_{governor}")
}

fn summary_tables(universe: DimensionUniverse, keys: CollectionKeys) -> Vec<TableSpec> {
    let collection = Field {
        primary_key: true,
        ..keys.field()
    };
    let mut specs = vec![
        TableSpec::new(
            "collection_summary_dataset_type",
            vec![
                collection.clone(),
                Field::key("dataset_type_id", SqlType::BigInt),
            ],
        )
        .foreign_key(collection_key(keys, keys.reference()).cascade())
        .foreign_key(ForeignKey::new("dataset_type", &["dataset_type_id"], &["id"]).cascade()),
    ];
    for governor in universe.governor_dimensions() {
        let mut spec = TableSpec::new(
            governor_summary_name(governor.name()),
            vec![collection.clone()],
        )
        .foreign_key(collection_key(keys, keys.reference()).cascade());
        add_dimension(&mut spec, governor, true);
        specs.push(spec);
    }
    specs
}

/// The most characters in a datastore's name.
const DATASTORE_NAME: SqlType = SqlType::String { length: 256 };

fn location_tables(versions: &SchemaVersions) -> [TableSpec; 2] {
    let name = Field::key("datastore_name", DATASTORE_NAME);
    let id = Field::key("dataset_id", SqlType::Uuid);
    let trash = if versions.trash_leads_with_dataset() {
        vec![id.clone(), name.clone()]
    } else {
        vec![name.clone(), id.clone()]
    };
    [
        TableSpec::new("dataset_location", vec![name, id]).foreign_key(ForeignKey::new(
            "dataset",
            &["dataset_id"],
            &["id"],
        )),
        TableSpec::new("dataset_location_trash", trash),
    ]
}

/// Name of the table of RUN and TAGGED memberships for a dimension group.
pub fn tags_name(dimensions_key: i64) -> String {
    format!("dataset_tags_{dimensions_key:08}")
}

/// Name of the table of CALIBRATION memberships for a dimension group.
pub fn calibs_name(dimensions_key: i64) -> String {
    format!("dataset_calibs_{dimensions_key:08}")
}

/// Adds what tables of memberships share: references to the collection, to its summaries and to
/// the dimensions. Returns the names of the columns that identify a dataset in a collection.
fn add_membership(
    spec: &mut TableSpec,
    dimensions: &DimensionGroup,
    keys: CollectionKeys,
    primary_key: bool,
) -> Vec<String> {
    spec.add_field(Field {
        primary_key,
        ..keys.field()
    });
    let collection = keys.reference();
    spec.foreign_keys
        .push(collection_key(keys, keys.reference()).cascade());
    let shared = [collection, "dataset_type_id"];
    spec.foreign_keys.push(ForeignKey::new(
        "collection_summary_dataset_type",
        &shared,
        &shared,
    ));
    let mut columns = vec!["dataset_type_id".to_owned(), collection.to_owned()];
    let universe = dimensions.universe();
    for dimension in dimensions
        .required()
        .iter()
        .filter_map(|name| universe.get(name))
    {
        add_dimension(spec, dimension, false);
        columns.push(dimension.name().to_owned());
        if dimension.is_governor() {
            let shared = [collection, dimension.name()];
            let table = governor_summary_name(dimension.name());
            spec.foreign_keys
                .push(ForeignKey::new(&table, &shared, &shared));
        }
    }
    columns
}

/// The table of RUN and TAGGED memberships of datasets with these dimensions.
pub fn tags_table(name: &str, dimensions: &DimensionGroup, keys: CollectionKeys) -> TableSpec {
    let mut spec = TableSpec::new(
        name,
        vec![
            Field::required("dataset_type_id", SqlType::BigInt),
            Field::key("dataset_id", SqlType::Uuid),
        ],
    )
    .foreign_key(ForeignKey::new(
        "dataset_type",
        &["dataset_type_id"],
        &["id"],
    ))
    .foreign_key(ForeignKey::new("dataset", &["dataset_id"], &["id"]).cascade());
    let unique = add_membership(&mut spec, dimensions, keys, true);
    spec.unique.push(unique);
    spec
}

/// The table of CALIBRATION memberships, with validity ranges, of datasets with these dimensions.
pub fn calibs_table(name: &str, dimensions: &DimensionGroup, keys: CollectionKeys) -> TableSpec {
    let mut spec = TableSpec::new(
        name,
        vec![
            Field::auto_key("id"),
            Field::required("dataset_type_id", SqlType::BigInt),
            Field::required("dataset_id", SqlType::Uuid),
        ],
    )
    .foreign_key(ForeignKey::new(
        "dataset_type",
        &["dataset_type_id"],
        &["id"],
    ))
    .foreign_key(ForeignKey::new("dataset", &["dataset_id"], &["id"]).cascade());
    let mut index = add_membership(&mut spec, dimensions, keys, false);
    spec.add_field(Field::required("timespan", SqlType::Timespan));
    index.push("timespan".to_owned());
    spec.indexes.push(index);
    spec
}
