//! The fuzz targets' bodies over a few random inputs: a change that breaks them is seen at once.

use zerorpc_tests::{fuzzing, vectors, world::dice::Dice};

#[test]
fn events() {
    for file in vectors::FILES.into_iter().chain(["broken"]) {
        for vector in vectors::load(file).into_iter().filter(|vector| !vector.frames.is_empty()) {
            for front in [[0, 0], [1, 0], [0, 3]] {
                fuzzing::event(&[&front, &vector.payload()[..]].concat());
            }
        }
    }
    let mut dice = Dice::new();
    let sound: Vec<_> = vectors::load("values").iter().map(|v| v.payload().to_vec()).collect();
    for _ in 0..20_000 {
        let mut data = dice.pick(&sound).clone();
        for _ in 0..dice.below(4) {
            let at = dice.below(data.len() as u64) as usize;
            data[at] = dice.below(256) as u8;
        }
        fuzzing::event(&[&[dice.below(2) as u8, 0], &data[..]].concat());
    }
}

#[test]
fn sessions() {
    let mut dice = Dice::new();
    for _ in 0..1500 {
        let len = dice.below(1500) as usize;
        let data: Vec<u8> = (0..len).map(|_| dice.below(256) as u8).collect();
        fuzzing::session(&data);
    }
}

/// What fuzzing has found.
#[test]
fn found_before() {
    let found: [(&str, &[u8]); 1] = [(
        "a deadline was told of when no channel was open any more",
        b"\x0a\x2c\xbf\xff\xff\xf2\xff\x0b\x04\x17\x08",
    )];
    for (what, data) in found {
        println!("{what}");
        fuzzing::session(data);
    }
}
