# Some files of Mesos take more than a gigabyte to compile. Where the kernel has ended a compiler for
# want of memory, the rest goes one by one.
cd "$BUILD/out"
{ make -j"$JOBS" 2>&1 && echo 0 >../made || echo $? >../made; } | tee ../make.log
made=$(cat ../made)
if [ "$made" != 0 ]; then
  tail -n 200 ../make.log | grep -q 'Killed\|annot allocate memory' || exit "$made"
  echo "make -j$JOBS ran out of memory; going on with one job" >&2
  make
fi
