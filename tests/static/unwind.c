/* The names of libunwind that Rust's standard library mentions. A program that aborts on panic calls
   none but the walk for a backtrace, and that finds no frames here. */
#define END_OF_STACK 5
int _Unwind_Backtrace(void *each, void *with) { (void)each; (void)with; return END_OF_STACK; }
int _Unwind_RaiseException(void *what) { (void)what; return END_OF_STACK; }
void _Unwind_DeleteException(void *what) { (void)what; }
void _Unwind_Resume(void *what) { (void)what; for (;;) __builtin_trap(); }
void *_Unwind_FindEnclosingFunction(void *at) { (void)at; return 0; }
unsigned long _Unwind_GetIP(void *frame) { (void)frame; return 0; }
unsigned long _Unwind_GetIPInfo(void *frame, int *before) { (void)frame; *before = 0; return 0; }
unsigned long _Unwind_GetCFA(void *frame) { (void)frame; return 0; }
unsigned long _Unwind_GetGR(void *frame, int which) { (void)frame; (void)which; return 0; }
void _Unwind_SetGR(void *frame, int which, unsigned long to) { (void)frame; (void)which; (void)to; }
void _Unwind_SetIP(void *frame, unsigned long to) { (void)frame; (void)to; }
unsigned long _Unwind_GetRegionStart(void *frame) { (void)frame; return 0; }
unsigned long _Unwind_GetTextRelBase(void *frame) { (void)frame; return 0; }
unsigned long _Unwind_GetDataRelBase(void *frame) { (void)frame; return 0; }
void *_Unwind_GetLanguageSpecificData(void *frame) { (void)frame; return 0; }
