# Get all agents
curl -H "Authorization: Bearer astra_your_api_key_here" \
  https://your-domain.com/api/v1/agents

# Get metrics for specific agent
curl -H "Authorization: Bearer astra_your_api_key_here" \
  "https://your-domain.com/api/v1/metrics?agent_id=agent-123&limit=100"

# Get speed tests from last 7 days
START_DATE=$(date -u -d '7 days ago' '+%Y-%m-%dT%H:%M:%SZ')
curl -H "Authorization: Bearer astra_your_api_key_here" \
  "https://your-domain.com/api/v1/speedtests?start_date=$START_DATE"
