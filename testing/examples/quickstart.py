import requests

API_KEY = "astra_your_api_key_here"
BASE_URL = "https://your-domain.com/api/v1"

headers = {
    "Authorization": f"Bearer {API_KEY}"
}

# Get all agents
response = requests.get(f"{BASE_URL}/agents", headers=headers)
agents = response.json()["agents"]

for agent in agents:
    print(f"{agent['hostname']}: {agent['status']}")

# Get recent metrics
params = {
    "agent_id": "agent-123",
    "limit": 100
}
response = requests.get(f"{BASE_URL}/metrics", headers=headers, params=params)
metrics = response.json()["metrics"]

print(f"Retrieved {len(metrics)} metrics")
