//! Who gets which lead: a pure function of the candidates, the targets and a seed.
