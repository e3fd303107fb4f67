# Sugar over the commands that work without it.

# List the recipes
default:
    @just --list

# Serve a demonstration on 127.0.0.1:8080
demo *ARGUMENTS:
    cargo run --release -- demo {{ARGUMENTS}}

# Run everything with reduced counts; `just test full` with the promised ones
test *ARGUMENTS:
    ./test {{ARGUMENTS}}

# Check format and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Write the pages of the book that are made of the document and of the programs' own help
book:
    docs/api_reference.py
    docs/command_line.py target/debug

# Write what each crate promises, after a change that is meant
public-api:
    UPDATE_GOLDEN=1 testing/steps/public_api

# Write the OpenAPI document from the handlers, in both versions
openapi:
    cargo run -- openapi --output openapi/openapi.json
    cargo run -- openapi --openapi-version 3.0 --output openapi/openapi-3.0.json

# Measure against a prepared body of the same size, plain SQL and VictoriaMetrics; takes ten minutes
bench *ARGUMENTS:
    cargo bench --package astranetmon --bench http -- {{ARGUMENTS}}

# Count the instructions of reading with valgrind
bench-instructions:
    cargo bench --package astranetmon --bench instructions

# Measure how fast metrics come in, beside a plain INSERT and COPY of the same rows
bench-ingest *ARGUMENTS:
    ASTRANETMON_TEST_FSYNC=on cargo bench --package astranetmon-storage --bench ingest -- {{ARGUMENTS}}

# Check licences, bans and sources
deny:
    cargo deny --all-features check licenses bans sources

# Check dependencies against the advisory database; needs a network
advisories:
    cargo deny --all-features check advisories
