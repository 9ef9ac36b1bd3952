//! What a run of `cargo test` says of itself.

/// How many tests ran, summed over all binaries of the run: a name that fits no test is a success to the harness.
pub(crate) fn tests_run(output: &str) -> usize {
    output.lines().filter_map(tests_of_summary).sum()
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`. Ignored and filtered tests did not run.
fn tests_of_summary(line: &str) -> Option<usize> {
    let (_verdict, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| -> Option<usize> {
        counts.split(';').find_map(|part| part.trim().strip_suffix(word)?.trim_end().parse().ok())
    };
    Some(count("passed")? + count("failed")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_binaries() {
        let output = "
running 2 tests
test a ... ok
test b ... FAILED
test result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 5 filtered out; finished in 0.00s

running 11 tests
test result: ok. 11 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";
        assert_eq!(tests_run(output), 13);
    }

    #[test]
    fn a_filter_that_fits_nothing_ran_no_test() {
        let output = "
running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 40 filtered out; finished in 0.00s
";
        assert_eq!(tests_run(output), 0);
    }

    #[test]
    fn ignored_tests_did_not_run() {
        let output =
            "test result: ok. 0 passed; 0 failed; 7 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(tests_run(output), 0);
    }

    #[test]
    fn output_without_a_summary_ran_no_test() {
        assert_eq!(tests_run("error: could not compile `caller-core`\n"), 0);
    }
}
