//! The one place that throws dice.

use application::ports::Randomness;

/// The thread's generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn unit(&self) -> f64 {
        rand::random::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_the_unit_interval_and_vary() {
        let numbers: Vec<f64> = (0..100).map(|_| SystemRandomness.unit()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.windows(2).any(|pair| pair[0] < pair[1]));
    }
}
