-- Health of a source: whether its pools are mirrored, not whether they work.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The source is being deleted")
end

local conditions = {}
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    conditions[condition.type] = condition
  end
end
local ready = conditions.Ready
if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "No pass has used this spec yet")
end

local said = ready.reason
if ready.message ~= nil and ready.message ~= "" then
  said = said .. ": " .. ready.message
end

local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

if ready.reason == "Suspended" then
  return health("Suspended", ready.message)
elseif holds("Stalled") then
  return health("Degraded", said)
elseif holds("Reconciling") then
  return health("Progressing", said)
elseif ready.status ~= "True" then
  return health("Degraded", said)
end
-- The others are mirrored all the same; a message tells of what is not.
for _, type in ipairs({ "PruneHalted", "PoolsSkipped" }) do
  if holds(type) then
    return health("Healthy", conditions[type].reason .. ": " .. conditions[type].message)
  end
end
return health("Healthy", said)
