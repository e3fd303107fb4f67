//! Randomness that is a function of where one looks: no state, so any time can be asked for first.

/// What a noise is for. Two purposes never share their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Cpu,
    CpuSlow,
    CpuSpike,
    Memory,
    DiskRead,
    DiskWrite,
    Receive,
    ReceiveSlow,
    Transmit,
    TransmitSlow,
    InterfaceErrors,
    Latency,
    Jitter,
    LossHour,
    Loss,
    Temperature,
    Processes,
    Speed,
    SpeedFailure,
    Hop,
    Schedule,
    RecordId,
}

/// The numbers of one agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    key: u64,
}

impl Noise {
    /// For one agent of one account under `seed`.
    pub(super) fn new(seed: u64, account: &str, agent: &str) -> Self {
        let bytes = account.bytes().chain([0]).chain(agent.bytes());
        Self { key: bytes.fold(mix(seed), |key, byte| mix(key ^ u64::from(byte))) }
    }

    /// 64 even bits.
    pub(super) const fn bits(self, purpose: Purpose, counter: i64) -> u64 {
        mix(mix(self.key ^ (purpose as u64 + 1)) ^ counter.cast_unsigned())
    }

    /// Evenly in 0..1.
    pub(super) fn unit(self, purpose: Purpose, counter: i64) -> f64 {
        const STEPS: u64 = 1 << 53;
        (self.bits(purpose, counter) % STEPS) as f64 / STEPS as f64
    }

    /// Evenly in -1..1.
    pub(super) fn signed(self, purpose: Purpose, counter: i64) -> f64 {
        self.unit(purpose, counter).mul_add(2.0, -1.0)
    }

    /// In 0..1, a curve without corners through one random point every `period` seconds.
    pub(super) fn smooth(self, purpose: Purpose, seconds: f64, period: f64) -> f64 {
        let place = seconds / period;
        let (knot, share) = (place.floor(), place - place.floor());
        let eased = share * share * (3.0 - 2.0 * share);
        let (from, to) = (self.unit(purpose, knot as i64), self.unit(purpose, knot as i64 + 1));
        from + (to - from) * eased
    }
}

/// The finalizer of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_depends_on_seed_account_agent_purpose_and_place_only() {
        let noise = Noise::new(1, "a", "b");
        let number = noise.bits(Purpose::Cpu, 7);
        assert_eq!(number, Noise::new(1, "a", "b").bits(Purpose::Cpu, 7));
        for other in [
            Noise::new(2, "a", "b").bits(Purpose::Cpu, 7),
            Noise::new(1, "x", "b").bits(Purpose::Cpu, 7),
            Noise::new(1, "a", "x").bits(Purpose::Cpu, 7),
            Noise::new(1, "ab", "").bits(Purpose::Cpu, 7),
            noise.bits(Purpose::Memory, 7),
            noise.bits(Purpose::Cpu, 8),
        ] {
            assert_ne!(number, other);
        }
    }

    #[test]
    fn noise_is_even_and_within_its_bounds() {
        let noise = Noise::new(1, "a", "b");
        let mean = (0..10_000).map(|at| noise.unit(Purpose::Cpu, at)).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        for at in 0..1_000 {
            assert!((-1.0..1.0).contains(&noise.signed(Purpose::Cpu, at)));
            assert!((0.0..1.0).contains(&noise.smooth(Purpose::Cpu, at as f64 * 7.3, 60.0)));
        }
    }
}
