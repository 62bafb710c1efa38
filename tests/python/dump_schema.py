"""Print a registry's schema, as the database knows it, in a form that does not depend on how it was made.

Usage: ``dump_schema.py URL [--namespace NAME]``; the URL in SQLAlchemy's form. Prints, for every table::

    {table: {"columns": {name: {"type", "nullable", "default", "autoincrement"}},
             "constraints": [text], "indexes": [text], "sequences": …}}

On PostgreSQL the texts are what ``pg_get_constraintdef`` and ``pg_get_indexdef`` give, names included and the schema's
name left out. On SQLite they are built from its pragmas and, for checks and names, from SQLAlchemy's inspection.
"""

import argparse

import sqlalchemy
from canonical import show

CONSTRAINTS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = :schema"
SEQUENCES = """
SELECT sequence_name, data_type FROM information_schema.sequences WHERE sequence_schema = :schema
"""


def columns_of(inspector, table, schema):
    return {
        column["name"]: {
            "position": position,
            "type": str(column["type"]).upper(),
            "nullable": column["nullable"],
            "default": column["default"],
        }
        for position, column in enumerate(inspector.get_columns(table, schema=schema))
    }


def postgres_schema(connection, schema):
    inspector = sqlalchemy.inspect(connection)
    # Defaults name sequences with the schema unless it is on the search path.
    def clean(text):
        return text and text.replace(f"{schema}.", "").replace(f'"{schema}".', "")

    tables = {}
    for name in inspector.get_table_names(schema=schema):
        columns = columns_of(inspector, name, schema)
        for column in columns.values():
            column["default"] = clean(column["default"])
        tables[name] = {"columns": columns, "constraints": [], "indexes": []}
    for statement, key in ((CONSTRAINTS, "constraints"), (INDEXES, "indexes")):
        for table, name, text in connection.execute(sqlalchemy.text(statement), {"schema": schema}):
            tables[table][key].append(f"{name}: {clean(text)}")
    for table in tables.values():
        table["constraints"].sort()
        table["indexes"].sort()
    sequences = connection.execute(sqlalchemy.text(SEQUENCES), {"schema": schema})
    return {"tables": tables, "sequences": sorted(f"{name}: {kind}" for name, kind in sequences)}


def sqlite_schema(connection):
    inspector = sqlalchemy.inspect(connection)
    tables = {}
    for name in inspector.get_table_names():
        constraints = [f"PRIMARY KEY {inspector.get_pk_constraint(name)['constrained_columns']}"]
        constraints += [f"UNIQUE {u['name']} {u['column_names']}" for u in inspector.get_unique_constraints(name)]
        for key in inspector.get_foreign_keys(name):
            constraints.append(
                f"FOREIGN KEY {key['name']} {key['constrained_columns']} -> "
                f"{key['referred_table']} {key['referred_columns']} {sorted(key['options'].items())}"
            )
        for check in inspector.get_check_constraints(name):
            text = check["sqltext"].replace('"', "").replace(" ", "")
            constraints.append(f"CHECK {check['name']} {text}")
        indexes = [f"{i['name']} {i['column_names']} unique={i['unique']}" for i in inspector.get_indexes(name)]
        statement = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"
        sql = connection.execute(sqlalchemy.text(statement), {"name": name}).scalar_one()
        tables[name] = {
            "columns": columns_of(inspector, name, None),
            "constraints": sorted(constraints),
            "indexes": sorted(indexes),
            "autoincrement": "AUTOINCREMENT" in sql.upper(),
        }
    return {"tables": tables, "sequences": []}


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Print a registry's schema.")
    parser.add_argument("url")
    parser.add_argument("--namespace", default="public")
    arguments = parser.parse_args()
    with sqlalchemy.create_engine(arguments.url).connect() as connection:
        if connection.dialect.name == "sqlite":
            show(sqlite_schema(connection))
        else:
            show(postgres_schema(connection, arguments.namespace))


if __name__ == "__main__":
    main()
