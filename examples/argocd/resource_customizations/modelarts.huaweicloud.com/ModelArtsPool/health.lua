-- Health of the mirror of a pool: that of the pool, as far as the data is fresh enough to tell.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "The mirror is being deleted")
end

local conditions = {}
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    conditions[condition.type] = condition
  end
end
local ready = conditions.Ready
local synced = conditions.Synced
if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The controller has not written all of the mirror yet")
end

local said = ready.reason
if ready.message ~= nil and ready.message ~= "" then
  said = said .. ": " .. ready.message
end

if ready.status == "True" then
  if synced == nil or synced.status == "True" then
    return health("Healthy", said)
  elseif synced.reason == "Suspended" then
    return health("Suspended", synced.message)
  end
  return health("Unknown", synced.message)
end
if ready.status ~= "False" then
  -- A pool that is just being made has no phase; of all others nobody knows.
  if ready.reason == "NoPhase" then
    return health("Progressing", "The pool has no phase yet")
  end
  return health("Unknown", said)
end
if ready.reason == "Creating" or ready.reason == "Waiting" or ready.reason == "Deleting" then
  return health("Progressing", said)
end
return health("Degraded", said)
