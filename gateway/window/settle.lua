numbers(KEYS[2], 'last')
local out = {c = {}}

-- record makes the object the one that the next alert is counted on.
local function record(key, item)
  if load(key).uid ~= item.uid then
    -- Another object than the one on record: its counters begin where Kubernetes left them.
    redis.call('DEL', key)
    redis.call('HSET', key, 'claim', int(now), 'n', int(item.n), 'uid', item.uid, 'name', item.name,
      'ns', item.ns, 'storm', item.storm, 'occ', int(item.occ), 'del', int(item.del), 'ren', int(item.ren), 'last', int(item.last),
      'new', int(item.new))
    -- 0 is no time: a firing from before 1970 is counted as well.
    local floor = item.new
    if item.since ~= 0 then
      -- It has its place already. If the storm's sums came from Kubernetes, they hold what was counted
      -- until base: with what it joined by, or else that is yet to be counted.
      local base = redis.call('HGET', totals(item.storm), 'base')
      if base then
        floor = num(base)
        local counted = item.since <= floor and '1' or '0'
        redis.call('HSET', key, 'occ', counted, 'del', counted)
      end
    end
    if floor ~= 0 then redis.call('HSET', key, 'floor', int(floor)) end
  end
  if item.storm == '' then return end
  -- A storm that a user deleted lives again where a request made its object once more, having
  -- asked before. The group goes on with it, unless the next one has an object by now.
  local again = gone(item.storm)
  if again then redis.call('HDEL', totals(item.storm), 'gone') end
  redis.call('HSET', totals(item.storm), 'uid', item.uid)
  local open = redis.call('HMGET', KEYS[2], 'id', 'uid')
  if open[1] == item.storm or again and open[1] and not open[2] then
    redis.call('HSET', KEYS[2], 'id', item.storm, 'uid', item.uid)
    keep(KEYS[2])
  end
end

-- A user may have deleted the object after the request met it: then the next alert is to open
-- another one, and what may be on record by now is that one's.
for i, item in ipairs(call.items) do
  if gone(item.uid) then
    out.c[i] = {occ = #item.e, del = math.min(#item.e, 1), ren = 0,
      last = int(now), res = int(item.res), new = '0', sm = 0, so = 0, sd = 0, sr = 0}
  else
    record(KEYS[3 + i], item)
    out.c[i] = count(KEYS[3 + i], item)
  end
end
out.corrupt = corrupt
return cjson.encode(out)
