/// `reduced`, or `full` when all counts are asked for.
#[expect(clippy::disallowed_methods, reason = "the harness leaves no other way to tell a test something")]
pub(crate) fn case_count(reduced: u32, full: u32) -> u32 {
    if std::env::var("ASTRANETMON_TEST_FULL").as_deref() == Ok("1") { full } else { reduced }
}
