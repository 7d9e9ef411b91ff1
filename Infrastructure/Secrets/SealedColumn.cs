namespace Bellhop.Infrastructure.Secrets;

/// <summary>A column that holds sealed values, and how all of them are visited to be sealed anew.</summary>
/// <remarks>
/// <para>The only maker of <see cref="AssociatedData"/>: what is to be sealed needs a column, each column is registered, and so
/// <c>bellhop secrets rotate</c> forgets none. Its comment in the schema is <c>sealed</c>.</para>
/// <para>Both statements treat a column of single values as an array of one.</para>
/// </remarks>
/// <param name="Take">
/// Selects <c>project_id</c>, <c>id</c> as text and <c>sealed</c> as text[] of the next <c>@Take</c> rows after <c>@AfterProject</c>
/// and <c>@AfterId</c>, in that order, that hold a value which another key than <c>@Kid</c> sealed.
/// </param>
/// <param name="Put">
/// Replaces the value <c>@Before</c> of the row <c>@ProjectId</c>, <c>@Id</c> by <c>@After</c>; nothing where it changed meanwhile.
/// </param>
public sealed record SealedColumn(string Table, string Column, string Take, string Put)
{
    /// <summary>The place of the value in one row.</summary>
    /// <param name="id">The row's own key as text, as <see cref="Take"/> selects it.</param>
    public AssociatedData At(Guid projectId, string id) => new(projectId, Table, Column, id);

    public override string ToString() => $"{Table}.{Column}";
}
