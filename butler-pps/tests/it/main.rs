//! Behaviour of the publication service and the writer.
