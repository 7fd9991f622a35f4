"""What tests share: builders of events and homes, histories, an independent reading, browsing."""
