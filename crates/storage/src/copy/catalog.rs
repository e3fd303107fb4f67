//! Which tables there are, as the database itself says, and in which order they are copied.

use std::collections::{BTreeMap, BTreeSet};

use crate::StorageError;
use crate::migrations::UNFINISHED_COPY;

/// Tables that stay behind. Leases belong to running processes, which a copy has none of. The list of migrations is the
/// target's own, written when its schema was made. The mark of an unfinished copy is about its own database.
pub(crate) const LEFT_BEHIND: [&str; 3] = ["lease", "__diesel_schema_migrations", UNFINISHED_COPY];

/// The kinds of values that both databases have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// 64 bits, signed.
    Integer,
    /// IEEE 754, 64 bits.
    Double,
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
    Boolean,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    pub(crate) nullable: bool,
}

/// A table with what copying asks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// In the order of their names, so that both databases encode a row alike however it was declared.
    pub(crate) columns: Vec<Column>,
    /// The primary key: positions in `columns`, the first first.
    pub(crate) key: Vec<usize>,
    /// Tables that must be there before it.
    pub(crate) references: BTreeSet<String>,
    /// The column that numbers itself.
    pub(crate) identity: Option<String>,
    /// The column by whose months PostgreSQL splits it: a position in `columns`.
    pub(crate) partitioned_by: Option<usize>,
}

impl Table {
    /// The names of its columns, quoted, separated by commas.
    pub(crate) fn column_list(&self) -> String {
        self.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|&position| &self.columns[position])
    }
}

/// A name as SQL takes it literally.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// All tables by name, but those that stay behind.
pub(crate) type Catalog = BTreeMap<String, Table>;

/// A column as a database lists it.
pub(crate) struct ListedColumn {
    pub(crate) name: String,
    /// The declared type.
    pub(crate) declared: String,
    pub(crate) nullable: bool,
    /// From 0, if it belongs to the primary key.
    pub(crate) key_position: Option<usize>,
    pub(crate) identity: bool,
    pub(crate) partitions: bool,
}

/// Puts a table together.
///
/// # Errors
/// [`StorageError::CannotCopy`] if a column is of a type that only one database has, or there is no primary key.
pub(crate) fn table(
    name: &str,
    mut listed: Vec<ListedColumn>,
    references: BTreeSet<String>,
) -> Result<Table, StorageError> {
    let refused = |reason: String| StorageError::CannotCopy { reason };
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let mut columns = Vec::with_capacity(listed.len());
    for column in &listed {
        let kind = match column.declared.to_ascii_lowercase().as_str() {
            "integer" | "bigint" => ColumnKind::Integer,
            "real" | "double precision" => ColumnKind::Double,
            "text" => ColumnKind::Text,
            "blob" | "bytea" => ColumnKind::Bytes,
            "boolean" => ColumnKind::Boolean,
            other => {
                let (column, list) = (&column.name, "integers, doubles, text, bytes and booleans");
                return Err(refused(format!("{name}.{column} is of type {other}: only {list} are in both databases")));
            }
        };
        // The numbering key of a SQLite table takes no NULL, whether it says so or not.
        let nullable = column.nullable && column.key_position.is_none();
        columns.push(Column { name: column.name.clone(), kind, nullable });
    }
    let mut key: Vec<_> =
        listed.iter().enumerate().filter_map(|(at, column)| Some((column.key_position?, at))).collect();
    key.sort_unstable();
    let key: Vec<usize> = key.into_iter().map(|(_, at)| at).collect();
    if key.is_empty() || key.iter().any(|&at| columns[at].kind == ColumnKind::Double) {
        return Err(refused(format!("{name} has no primary key by which its rows could be put in order")));
    }
    let identity = listed.iter().find(|column| column.identity).map(|column| column.name.clone());
    let partitioned_by = listed.iter().position(|column| column.partitions);
    Ok(Table { name: name.to_owned(), columns, key, references, identity, partitioned_by })
}

/// The tables of both sides in the order in which they are copied: what is referred to comes first. The key of each is
/// the shorter one: a partitioned table has a longer key than its rows need.
///
/// # Errors
/// [`StorageError::CannotCopy`] if the two sides have not the same tables and columns.
pub(crate) fn plan(source: &Catalog, target: &Catalog) -> Result<Vec<Table>, StorageError> {
    let refused = |reason: String| StorageError::CannotCopy { reason };
    if let Some(name) = source.keys().find(|name| !target.contains_key(*name)) {
        return Err(refused(format!("the target has no table {name}")));
    }
    let mut waiting: Vec<Table> = Vec::with_capacity(target.len());
    for (name, there) in target {
        let Some(here) = source.get(name) else {
            return Err(refused(format!("the source has no table {name}")));
        };
        if here.columns != there.columns {
            return Err(refused(format!("the columns of {name} are not the same in both databases")));
        }
        let shared = here.key.len().min(there.key.len());
        if here.key[..shared] != there.key[..shared] {
            return Err(refused(format!("the primary key of {name} is not the same in both databases")));
        }
        waiting.push(Table {
            key: here.key[..shared].to_vec(),
            references: here.references.union(&there.references).cloned().collect(),
            ..there.clone()
        });
    }
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |name: &String| ordered.iter().any(|table| table.name == *name);
        let ready = waiting.iter().position(|table| table.references.iter().all(is_there));
        let Some(ready) = ready else {
            let names = waiting.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(refused(format!("no order satisfies the foreign keys of {names}")));
        };
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, declared: &str, key_position: Option<usize>) -> ListedColumn {
        ListedColumn {
            name: name.to_owned(),
            declared: declared.to_owned(),
            nullable: true,
            key_position,
            identity: false,
            partitions: false,
        }
    }

    fn simple(name: &str, references: &[&str]) -> (String, Table) {
        let columns = vec![listed("id", "BIGINT", Some(0)), listed("a", "TEXT", None)];
        let references = references.iter().map(|&name| name.to_owned()).collect();
        (name.to_owned(), table(name, columns, references).expect("a table"))
    }

    fn names(tables: &[Table]) -> Vec<&str> {
        tables.iter().map(|table| table.name.as_str()).collect()
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let catalog: Catalog = [simple("a", &["c"]), simple("b", &["a", "c"]), simple("c", &[])].into();
        assert_eq!(names(&plan(&catalog, &catalog).expect("an order")), ["c", "a", "b"]);
        let circle: Catalog = [simple("a", &["b"]), simple("b", &["a"])].into();
        let refused = plan(&circle, &circle).expect_err("no order").to_string();
        assert!(refused.contains("foreign keys of a, b"), "{refused}");
    }

    #[test]
    fn sides_that_differ_are_refused() {
        let two: Catalog = [simple("a", &[]), simple("b", &[])].into();
        let one: Catalog = [simple("a", &[])].into();
        assert!(plan(&two, &one).expect_err("missing").to_string().contains("the target has no table b"));
        assert!(plan(&one, &two).expect_err("missing").to_string().contains("the source has no table b"));
        let mut other = one.clone();
        other.get_mut("a").expect("there").columns[0].kind = ColumnKind::Bytes;
        assert!(plan(&one, &other).expect_err("differs").to_string().contains("columns of a"));
    }

    #[test]
    fn the_shorter_key_orders_and_the_columns_come_by_name() {
        let longer =
            vec![listed("t", "bigint", Some(2)), listed("i", "bytea", Some(1)), listed("a", "bigint", Some(0))];
        let shorter = vec![listed("a", "INTEGER", Some(0)), listed("i", "BLOB", Some(1)), listed("t", "INTEGER", None)];
        let mut shorter = table("x", shorter, BTreeSet::new()).expect("a table");
        shorter.columns[2].nullable = false;
        let source: Catalog = [("x".to_owned(), shorter)].into();
        let target: Catalog = [("x".to_owned(), table("x", longer, BTreeSet::new()).expect("a table"))].into();
        let planned = plan(&source, &target).expect("an order");
        assert_eq!(planned[0].key, [0, 1]);
        assert_eq!(planned[0].column_list(), "\"a\", \"i\", \"t\"");
    }

    #[test]
    fn a_table_that_only_one_database_could_have_is_refused() {
        let no_key = table("x", vec![listed("a", "TEXT", None)], BTreeSet::new());
        assert!(no_key.expect_err("refused").to_string().contains("no primary key"));
        let jsonb = table("x", vec![listed("a", "jsonb", Some(0))], BTreeSet::new());
        assert!(jsonb.expect_err("refused").to_string().contains("x.a is of type jsonb"));
    }
}
