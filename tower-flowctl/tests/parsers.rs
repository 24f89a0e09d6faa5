//! The fuzz targets over bytes from a seeded generator, so that what they hold is held in every run.
#![forbid(unsafe_code)]

use tower_flowctl::fuzzing;

/// Marsaglia's xorshift.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn frames_pass_the_same_however_they_are_cut() {
    let mut rng = Rng(0x2545_f491_4f6c_dd1d);
    for _ in 0..2_000 {
        let mut data = vec![rng.next() as u8 % 40];
        for _ in 0..rng.next() % 12 {
            let length = rng.next() as usize % 60;
            data.extend([0, 0, length as u8, rng.next() as u8 % 18, rng.next() as u8]);
            data.extend((rng.next() as u32 % 16).to_be_bytes());
            data.extend(rng.bytes(length));
        }
        fuzzing::frames(&data);
        let noise = rng.bytes(40);
        fuzzing::frames(&noise);
    }
}

#[test]
fn fields_are_read_again_as_they_were() {
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    let letters = b"ui=?01:;,\"( )aB*5-.% \t\\";
    for _ in 0..50_000 {
        let length = rng.next() % 12;
        let field: Vec<u8> = (0..length)
            .map(|_| letters[rng.next() as usize % letters.len()])
            .collect();
        fuzzing::priority(&field);
    }
}

#[test]
fn schedulers_forget_nobody() {
    let mut rng = Rng(0x0123_4567_89ab_cdef);
    for _ in 0..300 {
        let steps = rng.bytes(4 * 400);
        fuzzing::tree(&steps);
    }
}
