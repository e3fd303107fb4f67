const API_KEY = "astra_your_api_key_here";
const BASE_URL = "https://your-domain.com/api/v1";

const headers = {
  "Authorization": `Bearer ${API_KEY}`
};

// Get all agents
const agentsResponse = await fetch(`${BASE_URL}/agents`, { headers });
const { agents } = await agentsResponse.json();

agents.forEach(agent => {
  console.log(`${agent.hostname}: ${agent.status}`);
});

// Get metrics with filters
const params = new URLSearchParams({
  agent_id: "agent-123",
  limit: "100"
});
const metricsResponse = await fetch(`${BASE_URL}/metrics?${params}`, { headers });
const { metrics } = await metricsResponse.json();

console.log(`Retrieved ${metrics.length} metrics`);
