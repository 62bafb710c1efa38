//! `butler query-collections`.

use std::collections::HashMap;

use butler_core::butler::Butler;
use butler_core::collections::{
    CollectionInfo, CollectionType, CollectionWildcard, DatasetTypeWildcard,
};
use butler_core::registry::CollectionQuery;
use clap::{Args, ValueEnum};

use crate::failure::Outcome;
use crate::open;
use crate::options::Repository;
use crate::output::{Cell, Column, Kind, Output, Rows};
use crate::select::or_everything;

/// Lists collections.
#[derive(Debug, Args)]
pub(crate) struct QueryCollections {
    #[command(flatten)]
    repository: Repository,

    /// Names and glob patterns of collections [default: all]
    #[arg(value_delimiter = ',')]
    glob: Vec<String>,

    /// Only collections of these types; may be given several times
    #[arg(
        long,
        value_name = "TYPE",
        value_delimiter = ',',
        ignore_case = true,
        value_enum
    )]
    collection_type: Vec<TypeName>,

    /// How chains of collections are shown
    #[arg(long, value_name = "SHAPE", value_enum, ignore_case = true, default_value_t = Chains::Tree)]
    chains: Chains,

    /// Also show the dataset types in each collection
    #[arg(short = 't', long)]
    show_dataset_types: bool,

    /// With --show-dataset-types, glob patterns of dataset types that are left out
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        default_value = "*_config,*_log,*_metadata,packages"
    )]
    exclude_dataset_types: Vec<String>,

    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum TypeName {
    Run,
    Tagged,
    Chained,
    Calibration,
}

impl From<TypeName> for CollectionType {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::Run => Self::Run,
            TypeName::Tagged => Self::Tagged,
            TypeName::Chained => Self::Chained,
            TypeName::Calibration => Self::Calibration,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Chains {
    /// Each collection with its children in a column
    #[value(name = "TABLE")]
    Table,
    /// Each collection with the chains it is in in a column
    #[value(name = "INVERSE-TABLE")]
    InverseTable,
    /// The children of each chain below it, indented
    #[value(name = "TREE")]
    Tree,
    /// The chains that each collection is in below it, indented
    #[value(name = "INVERSE-TREE")]
    InverseTree,
    /// What is in chains, in one list
    #[value(name = "FLATTEN")]
    Flatten,
    /// All collections in one list, chains without their children
    #[value(name = "NO-CHILDREN")]
    NoChildren,
}

/// A collection in a listing.
struct Entry {
    info: CollectionInfo,
    /// How deep it is in a tree.
    level: usize,
    /// Its children or the chains it is in, whatever is shown.
    relatives: Vec<String>,
}

impl QueryCollections {
    pub(crate) async fn run(self) -> Outcome {
        let butler = open::reader(&self.repository.repo).await?;
        let entries = self.entries(&butler).await?;
        let rows = if self.output.is_table() {
            self.for_people(&butler, &entries).await?
        } else {
            self.for_machines(&entries)?
        };
        self.output.write(&[rows])
    }

    fn is_tree(&self) -> bool {
        matches!(self.chains, Chains::Tree | Chains::InverseTree)
    }

    fn is_inverse(&self) -> bool {
        matches!(self.chains, Chains::InverseTable | Chains::InverseTree)
    }

    fn has_relatives(&self) -> bool {
        matches!(self.chains, Chains::Table | Chains::InverseTable)
    }

    /// A search with all that is shown of collections.
    fn search(&self, wildcard: CollectionWildcard) -> CollectionQuery {
        let mut query = CollectionQuery::new(wildcard);
        query.with_parents = self.is_inverse();
        query.with_dataset_types = self.show_dataset_types;
        query
    }

    async fn entries(&self, butler: &Butler) -> Outcome<Vec<Entry>> {
        let wildcard = CollectionWildcard::from_expression(or_everything(&self.glob))?;
        let mut query = self.search(wildcard);
        query.types = self
            .collection_type
            .iter()
            .copied()
            .map(Into::into)
            .collect();
        query.flatten_chains = self.chains == Chains::Flatten;
        let mut found = butler.registry().collections(&query).await?;
        if !matches!(self.chains, Chains::Flatten | Chains::NoChildren) {
            found.sort_by(|a, b| a.name.cmp(&b.name));
        }
        if self.is_tree() {
            return self.tree(butler, found).await;
        }
        let entry = |info: CollectionInfo| Entry {
            level: 0,
            relatives: if self.has_relatives() {
                self.relatives(&info)
            } else {
                Vec::new()
            },
            info,
        };
        Ok(found.into_iter().map(entry).collect())
    }

    /// The children, or the chains it is in, of a collection.
    fn relatives(&self, info: &CollectionInfo) -> Vec<String> {
        if self.is_inverse() {
            info.parents.iter().flatten().cloned().collect()
        } else {
            info.children.clone()
        }
    }

    /// The collections with those below them, depth first. Relatives are looked up level by level,
    /// all of a level at once.
    async fn tree(&self, butler: &Butler, roots: Vec<CollectionInfo>) -> Outcome<Vec<Entry>> {
        let mut known: HashMap<String, CollectionInfo> = HashMap::new();
        let mut level: Vec<CollectionInfo> = roots.clone();
        while !level.is_empty() {
            let mut missing: Vec<String> = Vec::new();
            for info in level {
                missing.extend(self.relatives(&info));
                known.insert(info.name.clone(), info);
            }
            missing.sort_unstable();
            missing.dedup();
            missing.retain(|name| !known.contains_key(name));
            if missing.is_empty() {
                break;
            }
            let query = self.search(CollectionWildcard::from_names(missing));
            level = butler.registry().collections(&query).await?;
        }
        let mut entries = Vec::new();
        let mut todo: Vec<(usize, CollectionInfo)> =
            roots.into_iter().rev().map(|info| (0, info)).collect();
        while let Some((level, info)) = todo.pop() {
            for name in self.relatives(&info).iter().rev() {
                if let Some(relative) = known.get(name) {
                    todo.push((level + 1, relative.clone()));
                }
            }
            entries.push(Entry {
                info,
                level,
                relatives: Vec::new(),
            });
        }
        Ok(entries)
    }

    /// The dataset types of a collection that are shown.
    fn shown_types(&self, info: &CollectionInfo) -> Outcome<Vec<String>> {
        let excluded = DatasetTypeWildcard::from_expression(&self.exclude_dataset_types)?;
        let types = info.dataset_types.iter().flatten();
        let shown = types.filter(|name| {
            !excluded.values().contains_key(*name) && !excluded.patterns().matches(name)
        });
        Ok(shown.cloned().collect())
    }

    /// One row for each collection, with lists in their cells.
    fn for_machines(&self, entries: &[Entry]) -> Outcome<Rows> {
        let mut columns = vec![
            Column::new("name", Kind::Text),
            Column::new("type", Kind::Text),
        ];
        if self.is_tree() {
            columns.push(Column::new("level", Kind::Int));
        }
        if self.has_relatives() {
            columns.push(Column::new(self.relation(), Kind::List));
        }
        if self.show_dataset_types {
            columns.push(Column::new("dataset_types", Kind::List));
        }
        let mut rows = Rows::new(columns);
        for entry in entries {
            let mut row = vec![
                Cell::text(&entry.info.name),
                Cell::text(entry.info.collection_type.name()),
            ];
            if self.is_tree() {
                row.push(Cell::Int(i64::try_from(entry.level).unwrap_or(i64::MAX)));
            }
            if self.has_relatives() {
                row.push(Cell::List(entry.relatives.clone()));
            }
            if self.show_dataset_types {
                row.push(Cell::List(self.shown_types(&entry.info)?));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    const fn relation(&self) -> &'static str {
        match self.chains {
            Chains::InverseTable => "parents",
            _ => "children",
        }
    }

    /// A row for each relative and each dataset type, with the rest left blank.
    async fn for_people(&self, butler: &Butler, entries: &[Entry]) -> Outcome<Rows> {
        let related = entries.iter().any(|entry| !entry.relatives.is_empty());
        let relatives = self.types_of_relatives(butler, entries).await?;
        let mut columns = vec![
            Column::new("name", Kind::Text).titled("Name"),
            Column::new("type", Kind::Text).titled("Type"),
        ];
        if related {
            let title = match self.chains {
                Chains::InverseTable => "Parents",
                _ => "Children",
            };
            columns.push(Column::new(self.relation(), Kind::Text).titled(title));
        }
        if self.show_dataset_types {
            columns.push(Column::new("dataset_types", Kind::Text).titled("Dataset Types"));
        }
        let mut rows = Rows::new(columns);
        let list = |mut names: Vec<String>| {
            if names.is_empty() {
                names.push(String::new());
            }
            names
        };
        for entry in entries {
            let indented = format!("{}{}", "  ".repeat(entry.level), entry.info.name);
            let mut head = [indented, entry.info.collection_type.name().to_owned()];
            for relative in list(entry.relatives.clone()) {
                let types = if !self.show_dataset_types
                    || (self.is_tree() && entry.info.collection_type == CollectionType::Chained)
                {
                    Vec::new()
                } else if relative.is_empty() {
                    self.shown_types(&entry.info)?
                } else {
                    relatives.get(&relative).cloned().unwrap_or_default()
                };
                let mut relative = relative;
                for dataset_type in list(types) {
                    let mut row: Vec<Cell> = head
                        .iter_mut()
                        .map(|text| Cell::Text(std::mem::take(text)))
                        .collect();
                    if related {
                        row.push(Cell::Text(std::mem::take(&mut relative)));
                    }
                    if self.show_dataset_types {
                        row.push(Cell::Text(dataset_type));
                    }
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// The dataset types of all relatives that are shown, if they are.
    async fn types_of_relatives(
        &self,
        butler: &Butler,
        entries: &[Entry],
    ) -> Outcome<HashMap<String, Vec<String>>> {
        let mut names: Vec<&String> = entries.iter().flat_map(|entry| &entry.relatives).collect();
        if !self.show_dataset_types || names.is_empty() {
            return Ok(HashMap::new());
        }
        names.sort_unstable();
        names.dedup();
        let query = self.search(CollectionWildcard::from_names(names.into_iter().cloned()));
        let mut types = HashMap::new();
        for info in butler.registry().collections(&query).await? {
            types.insert(info.name.clone(), self.shown_types(&info)?);
        }
        Ok(types)
    }
}
