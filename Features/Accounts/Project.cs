using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.Accounts;

/// <summary>A project as it is written.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens; unique in the installation.</param>
public sealed record ProjectDocument(string? Name) : IExampled<ProjectDocument>
{
    public static ProjectDocument Example => new("shop");
}

/// <summary>What makes a project sound.</summary>
public sealed class ProjectRules : AbstractValidator<ProjectDocument>
{
    public ProjectRules() => RuleFor(document => document.Name!).IsSlug();
}

/// <summary>A project as it is shown.</summary>
/// <param name="ArchivedAt">Since when it is only read; null: it is in use.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record ProjectView(
    Guid Id,
    [property: SlugShape] string Name,
    DateTime? ArchivedAt,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<ProjectView>
{
    public static ProjectView Example => new(Story.Endpoint, "shop", null, 1, Story.SetUpAt, Story.SetUpAt);
}

/// <summary>A project's row, and what the user who asks is in it.</summary>
/// <param name="MemberId">Null, as is what follows: the command line asks.</param>
internal sealed record ProjectRow(
    Guid Id,
    string Name,
    DateTime? ArchivedAt,
    int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt,
    Guid? MemberId,
    string? Role,
    string? Access
)
{
    public ProjectView ToView() => new(Id, Name, ArchivedAt, Revision, CreatedAt, UpdatedAt);

    /// <summary>Why the user may not do this to the project, by his membership there; null: he may.</summary>
    public Problem? Refuses(Caller caller, string? permission, DateTimeOffset now)
    {
        if (Role is null)
        {
            return null;
        }

        var access = Infrastructure.Auth.Access.Read(Access!);
        return access.Refuses(caller.Address, now) is { } why
                ? Problems.Forbidden.Because($"What proves the caller is narrowed: {why}.")
            : permission is null || Roles.Allow(Role, access.Scopes).Contains(permission) ? null
            : Problems.Forbidden.Because($"The caller lacks the permission {permission} in this project.");
    }
}
