-- KEYS: keys of one group. ARGV[1]: what a ledger holds of each, as JSON; ARGV[2]: how long
-- doubt lasts, in ms; ARGV[3]: fingerprints whose claims are given back, as JSON. What Redis
-- has counted itself is never lowered.
local told = cjson.decode(ARGV[1])
local base = string.match(KEYS[1], '^(.-}:)')

-- Redis may lack what Kubernetes has, and have what is over: a fingerprint that it does not
-- know is asked for there.
redis.call('SET', base .. 'd', '1', 'PX', ARGV[2])

for _, fp in ipairs(cjson.decode(ARGV[3])) do
  if (redis.call('HGET', base .. 'i:' .. fp, 'uid') or '') == '' then
    redis.call('DEL', base .. 'i:' .. fp)
    redis.call('ZREM', base .. 'z', fp)
  end
end

local texts = {uid = true, name = true, ns = true, storm = true, by = true, id = true}

local function union(a, b)
  local seen, list = {}, {}
  for n in string.gmatch(a .. ',' .. b, '[^,]+') do
    if not seen[n] then
      seen[n] = true
      list[#list + 1] = n
    end
  end
  return table.concat(list, ',')
end

local function whose(h) return h.id or h.uid or '' end

local function since(h) return tonumber(h.claim or h.last) or 0 end

-- merge takes over a hash. Of two objects, or two storms, the newer one that is known to
-- exist stays.
local function merge(key, theirs)
  local ours, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do ours[flat[i]] = flat[i + 1] end
  if whose(ours) ~= whose(theirs) then
    if (ours.uid or '') ~= '' and ((theirs.uid or '') == '' or since(ours) > since(theirs)) then return end
    redis.call('DEL', key)
    ours = {}
  end
  for field, value in pairs(theirs) do
    if field == 'eps' then
      redis.call('HSET', key, field, union(ours.eps or '', value))
    elseif texts[field] or (tonumber(value) or 0) > (tonumber(ours[field] or '') or -math.huge) then
      redis.call('HSET', key, field, value)
    end
  end
end

for i, e in ipairs(told) do
  local kind = redis.call('TYPE', KEYS[i])
  kind = kind.ok or kind
  if kind ~= 'none' and kind ~= (e.z and 'zset' or 'hash') then redis.call('DEL', KEYS[i]) end
  if e.z then
    for fp, at in pairs(e.z) do
      if at > (tonumber(redis.call('ZSCORE', KEYS[i], fp) or '') or 0) then
        redis.call('ZADD', KEYS[i], string.format('%.0f', at), fp)
      end
    end
  else
    merge(KEYS[i], e.h)
  end
  if redis.call('PTTL', KEYS[i]) < e.u then redis.call('PEXPIRE', KEYS[i], string.format('%.0f', e.u)) end
end
return #told
