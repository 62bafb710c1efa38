//! The state database: how far each dataset is on its way.
