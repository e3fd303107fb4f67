//! One portable schema: text, integers, doubles, bytes; time in microseconds since the epoch, UTC. The same columns
//! stand in `migrations/sqlite` and `migrations/postgres`.

diesel::table! {
    account (id) {
        id -> BigInt,
        name -> Text,
        plan -> Text,
        created_at -> BigInt,
        data_version -> BigInt,
        last_sequence -> BigInt,
        raw_days -> Nullable<BigInt>,
        hourly_days -> Nullable<BigInt>,
        daily_days -> Nullable<BigInt>,
        folded_before -> BigInt,
        sealed_before -> BigInt,
    }
}

diesel::table! {
    app_user (id) {
        id -> BigInt,
        account_id -> BigInt,
        email -> Text,
        role -> Text,
        password_hash -> Nullable<Text>,
        created_at -> BigInt,
        disabled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    session (id) {
        id -> BigInt,
        hash -> Binary,
        account_id -> BigInt,
        user_id -> BigInt,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    api_key (id) {
        id -> BigInt,
        account_id -> BigInt,
        window_id -> BigInt,
        hash -> Binary,
        hint -> Text,
        name -> Text,
        permissions -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    quota_window (account_id, window_id) {
        account_id -> BigInt,
        window_id -> BigInt,
        opened_at -> BigInt,
        used -> BigInt,
    }
}

diesel::table! {
    key_usage (account_id, key_id, hour) {
        account_id -> BigInt,
        key_id -> BigInt,
        hour -> BigInt,
        served -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    agent (account_id, id) {
        account_id -> BigInt,
        id -> Text,
        hostname -> Text,
        name -> Nullable<Text>,
        last_seen_at -> Nullable<BigInt>,
        created_at -> BigInt,
        disabled_at -> Nullable<BigInt>,
        agent_version -> Nullable<Text>,
        os -> Nullable<Text>,
        os_version -> Nullable<Text>,
        kernel_version -> Nullable<Text>,
        arch -> Nullable<Text>,
        cpu_model -> Nullable<Text>,
        cpu_core_count -> Nullable<BigInt>,
        memory_total_bytes -> Nullable<BigInt>,
        boot_time -> Nullable<BigInt>,
        ip_addresses -> Text,
        public_ip -> Nullable<Text>,
        labels -> Text,
        interval_seconds -> Nullable<BigInt>,
    }
}

diesel::table! {
    metric_sample (account_id, agent_id, timestamp) {
        account_id -> BigInt,
        agent_id -> Text,
        timestamp -> BigInt,
        received_at -> BigInt,
        sequence -> BigInt,
        measured -> Binary,
    }
}

diesel::table! {
    metric_chunk (account_id, agent_id, starts_at) {
        account_id -> BigInt,
        agent_id -> Text,
        starts_at -> BigInt,
        ends_at -> BigInt,
        sample_count -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
        lowest_sequence -> BigInt,
        highest_sequence -> BigInt,
        times -> Binary,
        summary -> Binary,
        hours -> Binary,
        packed -> Binary,
    }
}

diesel::table! {
    metric_summary (account_id, agent_id, period, bucket) {
        account_id -> BigInt,
        agent_id -> Text,
        period -> BigInt,
        bucket -> BigInt,
        sample_count -> BigInt,
        summary -> Binary,
    }
}

diesel::table! {
    speedtest (account_id, id, agent_id) {
        account_id -> BigInt,
        id -> Binary,
        agent_id -> Text,
        timestamp -> BigInt,
        received_at -> BigInt,
        sequence -> BigInt,
        status -> Text,
        error -> Nullable<Text>,
        provider -> Nullable<Text>,
        download_mbps -> Nullable<Double>,
        upload_mbps -> Nullable<Double>,
        download_bytes -> Nullable<BigInt>,
        upload_bytes -> Nullable<BigInt>,
        ping_ms -> Nullable<Double>,
        jitter_ms -> Nullable<Double>,
        packet_loss_percent -> Nullable<Double>,
        loaded_latency_ms -> Nullable<Double>,
        server_name -> Nullable<Text>,
        server_host -> Nullable<Text>,
        server_location -> Nullable<Text>,
        isp -> Nullable<Text>,
        external_ip -> Nullable<Text>,
        interface_name -> Nullable<Text>,
        duration_ms -> Nullable<BigInt>,
        result_url -> Nullable<Text>,
    }
}

diesel::table! {
    traceroute (account_id, id, agent_id) {
        account_id -> BigInt,
        id -> Binary,
        agent_id -> Text,
        timestamp -> BigInt,
        received_at -> BigInt,
        sequence -> BigInt,
        target -> Text,
        target_ip -> Nullable<Text>,
        ip_version -> Nullable<BigInt>,
        protocol -> Text,
        status -> Text,
        error -> Nullable<Text>,
        reached -> Bool,
        rtt_ms -> Nullable<Double>,
        packet_loss_percent -> Nullable<Double>,
        path_hash -> Text,
        path_changed -> Nullable<Bool>,
        duration_ms -> Nullable<BigInt>,
        hops -> Text,
    }
}

diesel::table! {
    record_count (account_id, kind, agent_id, period, bucket) {
        account_id -> BigInt,
        kind -> BigInt,
        agent_id -> Text,
        period -> BigInt,
        bucket -> BigInt,
        count -> BigInt,
    }
}

diesel::table! {
    audit (account_id, at, id) {
        account_id -> BigInt,
        at -> BigInt,
        id -> BigInt,
        actor -> Text,
        action -> Text,
        object -> Text,
    }
}

diesel::table! {
    setting (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    alert_rule (account_id, id) {
        account_id -> BigInt,
        id -> Binary,
        name -> Text,
        enabled -> Bool,
        severity -> Text,
        agent_id -> Nullable<Text>,
        condition -> Text,
        created_at -> BigInt,
        revision -> BigInt,
        start_sequence -> BigInt,
    }
}

diesel::table! {
    alert_channel (account_id, id) {
        account_id -> BigInt,
        id -> Binary,
        name -> Text,
        kind -> Text,
        target -> Text,
        secret -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    alert_rule_channel (account_id, rule_id, channel_id) {
        account_id -> BigInt,
        rule_id -> Binary,
        channel_id -> Binary,
    }
}

diesel::table! {
    alert_event (account_id, id) {
        account_id -> BigInt,
        id -> Binary,
        rule_id -> Binary,
        rule_name -> Text,
        severity -> Text,
        kind -> Text,
        agent_id -> Text,
        agent_name -> Text,
        fired_at -> BigInt,
        resolved_at -> Nullable<BigInt>,
        value -> Nullable<Double>,
        threshold -> Nullable<Double>,
        sentence -> Text,
        resolution -> Nullable<Text>,
    }
}

diesel::table! {
    alert_state (account_id, rule_id, agent_id) {
        account_id -> BigInt,
        rule_id -> Binary,
        agent_id -> Text,
        state -> Text,
        since -> Nullable<BigInt>,
        event_id -> Nullable<Binary>,
        value -> Nullable<Double>,
        value_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    alert_delivery (account_id, id) {
        account_id -> BigInt,
        id -> Binary,
        event_id -> Binary,
        channel_id -> Binary,
        phase -> Text,
        state -> Text,
        attempts -> BigInt,
        next_attempt_at -> BigInt,
        settled_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    alert_progress (account_id) {
        account_id -> BigInt,
        records_up_to -> BigInt,
    }
}

diesel::table! {
    lease (name) {
        name -> Text,
        holder -> Text,
        token -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    enrolment_token (id) {
        id -> BigInt,
        account_id -> BigInt,
        hash -> Binary,
        hint -> Text,
        name -> Text,
        agent_id -> Nullable<Text>,
        labels -> Text,
        max_uses -> BigInt,
        use_count -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    agent_token (id) {
        id -> BigInt,
        account_id -> BigInt,
        agent_id -> Text,
        hash -> Binary,
        hint -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    agent_health (account_id, agent_id) {
        account_id -> BigInt,
        agent_id -> Text,
        heartbeat_at -> BigInt,
        spool_row_count -> Nullable<BigInt>,
        spool_oldest_at -> Nullable<BigInt>,
        dropped_row_count -> Nullable<BigInt>,
        cost_cpu_percent -> Nullable<Double>,
        cost_memory_bytes -> Nullable<BigInt>,
        clock_offset_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    agent_removal (account_id, agent_id) {
        account_id -> BigInt,
        agent_id -> Text,
        requested_at -> BigInt,
    }
}

diesel::joinable!(api_key -> account (account_id));
diesel::joinable!(session -> app_user (user_id));
diesel::allow_tables_to_appear_in_same_query!(account, api_key);
diesel::allow_tables_to_appear_in_same_query!(agent, agent_health, agent_token);
diesel::allow_tables_to_appear_in_same_query!(api_key, key_usage);
diesel::allow_tables_to_appear_in_same_query!(app_user, session);
diesel::allow_tables_to_appear_in_same_query!(alert_channel, alert_delivery, alert_event);
