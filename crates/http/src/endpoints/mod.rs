//! One file per endpoint: query, response, handler, tests, in that order.
