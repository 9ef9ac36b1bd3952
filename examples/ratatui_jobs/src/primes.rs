//! What the jobs compute.

use std::ops::Range;

/// How many numbers are looked at in one go. A call that was cancelled ends behind them.
const PIECE: usize = 1000;

/// Counts primes, and tells `progress` which part is done, from 0 to 1, whenever that is another hundredth.
pub(crate) async fn count(numbers: Range<u64>, progress: impl Fn(f64)) -> usize {
    let (first, length) = (numbers.start, (numbers.end - numbers.start) as f64);
    let (mut primes, mut told) = (0, None);
    for start in numbers.clone().step_by(PIECE) {
        let hundredths = (100.0 * (start - first) as f64 / length).floor();
        if told.replace(hundredths) != Some(hundredths) {
            progress(hundredths / 100.0);
        }
        let end = numbers.end.min(start + PIECE as u64);
        primes += (start..end).filter(|number| is_prime(*number)).count();
        tokio::task::yield_now().await;
    }
    primes
}

fn is_prime(number: u64) -> bool {
    let mut divisors = (3..).step_by(2).take_while(|divisor| divisor * divisor <= number);
    number == 2 || number > 2 && number % 2 == 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}
