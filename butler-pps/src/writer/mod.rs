//! The Butler writer: outputs of Prompt Processing, from Kafka into the embargo repository.
