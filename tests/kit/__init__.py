"""What tests share: event builders, clocks, services, servers, agreements and waiting."""
