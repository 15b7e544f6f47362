numbers(KEYS[2], 'last')
for i, item in ipairs(call.items) do
  if item.uid ~= '' then
    if load(KEYS[3 + i]).uid == item.uid then redis.call('DEL', KEYS[3 + i]) end
    -- A request that met the object may be about to count on it; none takes a minute.
    sane(totals(item.uid), 'hash')
    redis.call('HSET', totals(item.uid), 'gone', '1')
    redis.call('PEXPIRE', totals(item.uid), 60000)
  end
  local sums = totals(item.storm)
  sane(sums, 'hash')
  -- It may have another object by now, of which the deletion was not.
  if item.storm ~= '' and (redis.call('HGET', sums, 'uid') or item.uid) == item.uid then
    redis.call('DEL', sums)
    redis.call('HSET', sums, 'gone', '1')
    keep(sums)
    -- The group is still in a storm: whoever comes next opens another object for it.
    if redis.call('HGET', KEYS[2], 'id') == item.storm then
      redis.call('HSET', KEYS[2], 'id', call.newStorm)
      redis.call('HDEL', KEYS[2], 'uid')
    end
  end
end
return cjson.encode({corrupt = corrupt})
